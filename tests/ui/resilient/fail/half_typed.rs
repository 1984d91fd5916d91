use resilient_runtime::{ResilienceError, resilient};

struct Server {
    number: u32,
}

impl Server {
    // beside the rules, a field that is yet to be typed
    #[resilient(retry = 1, read_only)]
    async fn field(&self, more: u32) -> Result<u32, ResilienceError> {
        self.;
        Ok(self.number + more)
    }

    // beside the rules, a field at the end
    #[resilient(retry = 1, read_only)]
    async fn last(&self, more: u32) -> Result<u32, ResilienceError> {
        let number = self.number + more;
        self.
    }

    // beside the rules, a path that is yet to be typed
    #[resilient]
    async fn path(&self) -> Result<u32, ResilienceError> {
        let number = u32::;
        Ok(number)
    }
}

// beside the rules, a value that is yet to be typed
#[resilient(timeout = "1s")]
async fn value(number: u32) -> Result<u32, ResilienceError> {
    let doubled = ;
    Ok(number)
}

// beside the rules, nothing else is wrong: whoever calls them still finds them: 0 mistakes
async fn caller(server: &Server) -> Result<u32, ResilienceError> {
    Ok(server.field(1).await? + server.last(1).await? + server.path().await? + value(2).await?)
}

fn main() {
    drop(caller(&Server { number: 1 }));
}
