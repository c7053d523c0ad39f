//! Whether a part can start, and whether it has.

use std::net::TcpListener;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::Trouble;
use super::plan::Part;

const READY_WITHIN: Duration = Duration::from_secs(15);
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Checks that nobody listens where this part is going to.
pub fn port_is_free(part: &Part) -> Result<(), Trouble> {
    let Err(error) = TcpListener::bind(part.address) else { return Ok(()) };
    let port = part.address.port();
    Err(Trouble::new(format!(
        "{} cannot listen on {}: {error}; see who does with: ss -ltnp 'sport = :{port}', stop that, and start again",
        part.name, part.address
    )))
}

/// Returns when every part answers, or with the one that does not.
pub async fn all_answer(parts: &[Part]) -> Result<(), Trouble> {
    let client = reqwest::Client::builder().timeout(READY_WITHIN).no_proxy().build().unwrap_or_default();
    for part in parts {
        let url = format!("http://{}{}", part.address, part.probe);
        let late =
            |_| Trouble::new(format!("{} does not answer {url} with 200; its log is above", part.name));
        timeout(READY_WITHIN, answers(&client, &url)).await.map_err(late)?;
    }
    Ok(())
}

async fn answers(client: &reqwest::Client, url: &str) {
    loop {
        if client.get(url).send().await.is_ok_and(|reply| reply.status().is_success()) {
            return;
        }
        sleep(ASK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::plan::Output;

    #[test]
    fn a_taken_port_is_named_with_its_part_and_a_cure() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let part = Part {
            name: "user-1",
            address: taken.local_addr().unwrap(),
            probe: "/",
            program: "user-service".into(),
            arguments: Vec::new(),
            output: Output::Dropped,
        };
        let line = port_is_free(&part).unwrap_err().to_string();
        assert!(line.starts_with(&format!("user-1 cannot listen on {}", part.address)), "{line}");
        assert!(line.contains("ss -ltnp"), "{line}");
        drop(taken);
        assert!(port_is_free(&part).is_ok());
    }
}
