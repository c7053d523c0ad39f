//! Content types of gRPC and gRPC-Web.

/// How content is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// As it is.
    Binary,
    /// In Base64.
    Text,
}

/// What a content type says: the form, and how messages are encoded, such as `+proto`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) form: Form,
    pub(super) encoding: Box<[u8]>,
}

const GRPC: &[u8] = b"application/grpc";
const WEB: &[u8] = b"-web";
const TEXT: &[u8] = b"-text";

impl Kind {
    /// Reads a content type of gRPC-Web.
    pub(super) fn of_web(text: &[u8]) -> Option<Self> {
        let rest = behind(behind(text, GRPC)?, WEB)?;
        let (form, rest) = behind(rest, TEXT).map_or((Form::Binary, rest), |rest| (Form::Text, rest));
        let encoding = rest.split(|b| matches!(b, b';' | b',')).next().unwrap_or_default().trim_ascii();
        (encoding.is_empty() || encoding.starts_with(b"+")).then(|| Self { form, encoding: encoding.into() })
    }

    /// The content type for the service.
    pub(super) fn grpc(&self) -> Vec<u8> {
        [GRPC, &*self.encoding].concat()
    }

    /// The content type for the client.
    pub(super) fn web(&self) -> Vec<u8> {
        let form = if self.form == Form::Text { TEXT } else { b"" };
        [GRPC, WEB, form, &*self.encoding].concat()
    }
}

/// What stands behind a start in any case.
fn behind<'a>(text: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = text.split_at_checked(start.len())?;
    found.eq_ignore_ascii_case(start).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_told_apart_and_translated() {
        for (web, form, grpc, back) in [
            ("application/grpc-web", Form::Binary, "application/grpc", "application/grpc-web"),
            (
                "application/grpc-web+proto",
                Form::Binary,
                "application/grpc+proto",
                "application/grpc-web+proto",
            ),
            ("Application/GRPC-Web-Text", Form::Text, "application/grpc", "application/grpc-web-text"),
            (
                "application/grpc-web-text+json; charset=utf-8",
                Form::Text,
                "application/grpc+json",
                "application/grpc-web-text+json",
            ),
        ] {
            let kind = Kind::of_web(web.as_bytes()).unwrap();
            assert_eq!(kind.form, form, "{web}");
            assert_eq!((kind.grpc(), kind.web()), (grpc.into(), back.into()), "{web}");
        }
        for other in [
            "application/grpc",
            "application/grpc-webs",
            "application/json",
            "",
            "application/grpc-web-texts",
        ] {
            assert_eq!(Kind::of_web(other.as_bytes()), None, "{other}");
        }
    }
}
