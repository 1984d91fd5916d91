use resilient_runtime::{ResilienceError, resilient};

struct Server;

// rule 40, no such method
impl Server {
    #[resilient(fallback = Self::not_there)]
    async fn not_found(&self, number: u32) -> Result<u32, ResilienceError> {
        Ok(number)
    }
}

// rule 40, no function
const NUMBER: u32 = 1;

#[resilient(fallback = NUMBER)]
async fn no_function(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 40, not async
fn plain(_: u32, _: &ResilienceError) -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(fallback = plain)]
async fn not_async(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 40, too few parameters
async fn alone(_: &ResilienceError) -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(fallback = alone)]
async fn too_few(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 40, too many parameters
async fn crowd(_: u32, _: &ResilienceError, _: u32) -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(fallback = crowd)]
async fn too_many(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 40, another parameter
async fn words(_: String, _: &ResilienceError) -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(fallback = words)]
async fn another_parameter(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 40, the error by value
async fn owner(_: u32, _: ResilienceError) -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(fallback = owner)]
async fn by_value(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 40, another answer
async fn text(_: u32, _: &ResilienceError) -> Result<String, ResilienceError> {
    Ok(String::new())
}

#[resilient(fallback = text)]
async fn another_answer(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 40, no `Result`
async fn bare(_: u32, _: &ResilienceError) -> u32 {
    1
}

#[resilient(fallback = bare)]
async fn no_result(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 40, a receiver that may change
impl Server {
    async fn changes(&mut self, _: u32, _: &ResilienceError) -> Result<u32, ResilienceError> {
        Ok(1)
    }

    #[resilient(fallback = Self::changes)]
    async fn changed(&self, number: u32) -> Result<u32, ResilienceError> {
        Ok(number)
    }
}

// rule 40, a receiver that the method does not have
impl Server {
    async fn receives(&self, _: u32, _: &ResilienceError) -> Result<u32, ResilienceError> {
        Ok(1)
    }

    #[resilient(fallback = Self::receives)]
    async fn without(number: u32) -> Result<u32, ResilienceError> {
        Ok(number)
    }
}

// rule 4, a path that starts in brackets
#[resilient(fallback = <Server>::receives)]
async fn in_brackets(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 4, an empty list
#[resilient(fallback = [])]
async fn nothing(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 4, a call
#[resilient(fallback = text(number))]
async fn called(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 41
#[resilient(fallback = value("seven"))]
async fn another_value(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 41, of a tuple's part
#[resilient(fallback = value((1, "two")))]
async fn another_part(number: u32) -> Result<(u32, u32), ResilienceError> {
    Ok((number, number))
}

fn main() {}
