use resilient_runtime::{ResilienceError, resilient};
use rmcp::{tool, tool_router};

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

// beside the rules, a parameter without a type
#[resilient]
async fn parameter(number) -> Result<u32, ResilienceError> {
    Ok(1)
}

// beside the rules, a parameter whose type is yet to be typed
#[resilient]
async fn type_of_a_parameter(number:) -> Result<u32, ResilienceError> {
    Ok(1)
}

// beside the rules, a parameter of a tool without a type
struct Tools;

#[resilient]
#[tool_router]
impl Tools {
    #[tool]
    async fn tool(&self, number) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// beside the rules, nothing else is wrong: callers still find them: 0 mistakes
async fn caller(server: &Server) -> Result<u32, ResilienceError> {
    Ok(server.field(1).await? + server.last(1).await? + server.path().await? + value(2).await?)
}

fn main() {
    drop(caller(&Server { number: 1 }));
}
