//! Requests in one line.

use crate::{Client, Response};

impl Client {
    /// Sends a request without content, such as `ask("GET /a", &["X-A: b"])`, and reads the answer. `Host: gateway`
    /// is added where no field names a host.
    #[track_caller]
    pub fn ask(&mut self, line: &str, fields: &[&str]) -> Response {
        let mut request = format!("{line} HTTP/1.1\r\n");
        if !fields.iter().any(|f| f.to_ascii_lowercase().starts_with("host:")) {
            request += "Host: gateway\r\n";
        }
        for field in fields {
            request += field;
            request += "\r\n";
        }
        self.send(request + "\r\n");
        if line.starts_with("HEAD ") { self.response_to_head() } else { self.response() }
    }
}
