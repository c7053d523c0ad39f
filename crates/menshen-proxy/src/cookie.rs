//! Cookies that the gateway gives to clients (RFC 6265 §4.1).

use crate::Scheme;

/// A cookie by which a client is known again: no script can read it, no other site can have it sent.
pub(crate) struct Cookie<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
    /// How long browsers keep it, in seconds; as long as they run, if there is no time.
    pub(crate) max_age: Option<u64>,
}

impl Cookie<'_> {
    /// As in Set-Cookie, for a client that spoke in this scheme.
    pub(crate) fn to_text(&self, scheme: Scheme) -> String {
        let mut text = format!("{}={}; Path=/; HttpOnly; SameSite=Lax", self.name, self.value);
        if let Some(seconds) = self.max_age {
            text.push_str(&format!("; Max-Age={seconds}"));
        }
        if scheme == Scheme::Https {
            text.push_str("; Secure");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_kept_from_scripts_other_sites_and_plain_connections() {
        let cookie = Cookie { name: "a", value: "1", max_age: Some(60) };
        assert_eq!(cookie.to_text(Scheme::Http), "a=1; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
        let cookie = Cookie { max_age: None, ..cookie };
        assert_eq!(cookie.to_text(Scheme::Https), "a=1; Path=/; HttpOnly; SameSite=Lax; Secure");
    }
}
