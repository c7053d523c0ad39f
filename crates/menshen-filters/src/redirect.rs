//! `redirect`: tells the client to ask somewhere else.

use std::sync::Arc;

use menshen_config::document::Redirect as Config;
use menshen_proxy::chain::Step;
use menshen_proxy::http1::FieldName;
use menshen_proxy::template::{Fact, Piece, Template};
use menshen_proxy::{Exchange, Flow, PreFilter, Reply};

use crate::{Contract, Filter, Setup, scratch};

/// The filter.
pub struct Redirect {
    to: Template,
    is_path: bool,
    status: u16,
}

impl Filter for Redirect {
    const NAME: &'static str = "redirect";
    const SHORT: Option<&'static str> = Some("to");
    const CONTRACT: Contract = Contract { decides: true, ..Contract::NONE };
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        let before = setup.problems.len();
        let to = setup.template("to", &config.to);
        if setup.problems.len() == before {
            check(&to, setup);
        }
        let is_path = is_path(&sketch(&to));
        step.pre(Arc::new(Self { to, is_path, status: config.status.unwrap_or(308) }));
    }
}

/// Stands for what a client can choose.
const CHOSEN: char = '\u{1}';

/// The template with the parts that cannot change where it leads filled in.
fn sketch(to: &Template) -> String {
    let mut text = String::new();
    for piece in to.pieces() {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Fact(Fact::Path) => text.push('/'),
            Piece::Fact(Fact::Query) => text.push('?'),
            Piece::Fact(Fact::Scheme) => text.push_str("http"),
            Piece::Fact(Fact::Host) => text.push_str("host"),
            Piece::Variable(_) | Piece::Header(_) | Piece::Query(_) | Piece::Fact(_) => text.push(CHOSEN),
        }
    }
    text
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//")
}

/// Refuses what is no place to go to, and what lets a client choose the host: a link to this gateway would then lead
/// wherever an attacker wants.
fn check(to: &Template, setup: &mut Setup<'_>) {
    let text = sketch(to);
    if text.chars().any(|c| c != CHOSEN && !c.is_ascii_graphic()) {
        setup
            .error("to", "a URL has no spaces and only ASCII characters")
            .hint("percent-encode them, as in `%20`");
        return;
    }
    let authority = match text.split_once("//") {
        _ if is_path(&text) => return,
        Some((scheme, rest))
            if scheme.is_empty() || scheme.ends_with(':') && !scheme.contains(['/', '?', '#']) =>
        {
            format!("{scheme}{}", rest.split(['/', '?', '#']).next().unwrap_or_default())
        }
        _ if text.starts_with(CHOSEN) => text,
        _ => {
            let hint = "write for example `https://www.example.org{path}` or `/new{path}`";
            setup.error("to", "it is neither a URL nor a path from `/` on").hint(hint);
            return;
        }
    };
    if authority.contains(CHOSEN) {
        let hint = "write the host in full, or `{host}` for the one that the client asked";
        setup.error("to", "whoever sends the request could choose the host that it leads to").hint(hint);
    }
}

impl PreFilter for Redirect {
    fn pre(&self, exchange: &mut Exchange) -> Flow {
        let mut reply = Reply::new(self.status);
        scratch::with(|location| {
            self.to.fill_url(exchange, location);
            let mut location = location.as_slice();
            // A piece that comes out empty must not turn a path into the `//host` of another site.
            while self.is_path && location.starts_with(b"//") {
                location = location.get(1..).unwrap_or_default();
            }
            reply.head.fields.set(FieldName::LOCATION, location);
        });
        Flow::Answer(Box::new(reply))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Try;

    fn location(yaml: &str, request: &str) -> String {
        let t = Try::filter(yaml).request(request).answer();
        t.field("location").unwrap()
    }

    fn get(target: &str, fields: &str) -> String {
        format!("GET {target} HTTP/1.1\r\nHost: a.example:8080\r\n{fields}\r\n")
    }

    #[test]
    fn a_client_is_told_where_to_ask_and_308_keeps_its_method() {
        let t = Try::filter("redirect: https://www.example.org/").get("/a").answer();
        assert_eq!((t.status(), t.field("location").unwrap().as_str()), (308, "https://www.example.org/"));
        let t = Try::filter("redirect: { to: /new, status: 302 }").get("/a").answer();
        assert_eq!((t.status(), t.field("location").unwrap().as_str()), (302, "/new"));
    }

    #[test]
    fn path_and_query_stay_as_they_were_sent() {
        let yaml = "redirect: \"https://{host}{path}{?query}\"";
        assert_eq!(location(yaml, &get("/a%20b/c?x=%2F&y", "")), "https://a.example/a%20b/c?x=%2F&y");
        assert_eq!(location(yaml, &get("/a", "")), "https://a.example/a");
    }

    #[test]
    fn what_a_client_sends_cannot_leave_its_place() {
        let yaml = "redirect: \"/go/{header:x-a}?next={query:next}\"";
        let request = get("/?next=/a%26b&c", "X-A: ../a b?c#d\r\n");
        assert_eq!(location(yaml, &request), "/go/..%2Fa%20b%3Fc%23d?next=%2Fa%26b");
    }

    #[test]
    fn an_empty_piece_does_not_make_a_path_lead_to_another_host() {
        let yaml = "redirect: \"/{header:x-a}/{header:x-b}\"";
        assert_eq!(location(yaml, &get("/", "X-B: evil.example\r\n")), "/evil.example");
    }

    #[test]
    fn a_target_whose_host_a_client_could_choose_is_refused() {
        for to in [
            "{query:next}",
            "https://{header:x-host}/",
            "https://{tenant}.example.org/",
            "//{header:x-host}/",
            "https://a.example:{query:port}/",
            "{header:x}://a.example/",
        ] {
            let problems = Try::problems(&format!("redirect: \"{to}\""));
            assert!(problems.contains("could choose the host"), "{to}: {problems}");
        }
    }

    #[test]
    fn a_target_that_is_none_is_refused() {
        for (to, message) in [
            ("www.example.org", "neither a URL nor a path"),
            ("\"javascript:alert(1)\"", "neither a URL nor a path"),
            ("\"/a b\"", "a URL has no spaces"),
            ("\"/a{\"", "a `{` has no `}`"),
            ("{ to: /a, status: 200 }", "200 is not a redirect"),
            ("{ status: 302 }", "missing"),
        ] {
            let problems = Try::problems(&format!("redirect: {to}"));
            assert!(problems.contains(message), "{to}: {problems}");
        }
    }
}
