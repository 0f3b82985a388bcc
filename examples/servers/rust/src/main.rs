use std::error::Error;
use std::fs;

use tiny_http::{Response, Server};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = Server::http("0.0.0.0:8080")?;
    for request in server.incoming_requests() {
        request.respond(Response::from_string(fs::read_to_string("/etc/shop/greeting")?))?;
    }
    Ok(())
}
