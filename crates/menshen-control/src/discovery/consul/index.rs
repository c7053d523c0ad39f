//! The index of blocking queries: what has been seen so far
//! (<https://developer.hashicorp.com/consul/api-docs/features/blocking#implementation-details>).

use http::HeaderMap;

/// What has been seen so far; `None` asks for an answer at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Index(Option<u64>);

impl Index {
    /// What to send.
    pub fn get(self) -> Option<u64> {
        self.0
    }

    /// After an answer. An index that went backwards, as after a restored snapshot, is of another life of the server: nothing
    /// is known of it.
    pub fn after(self, fields: &HeaderMap) -> Self {
        let said =
            fields.get("x-consul-index").and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
        match (self.0, said) {
            // A server without an index does not hold questions back.
            (_, None) => Self(None),
            (Some(seen), Some(said)) if said < seen => Self(None),
            // With 0 it would not hold the question back.
            (_, Some(said)) => Self(Some(said.max(1))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(index: &str) -> HeaderMap {
        let name = http::header::HeaderName::from_static("x-consul-index");
        HeaderMap::from_iter([(name, index.parse().unwrap())])
    }

    #[test]
    fn the_next_question_waits_for_what_comes_after_the_answer() {
        assert_eq!(Index::default().after(&said("42")).get(), Some(42));
        assert_eq!(Index(Some(42)).after(&said("42")).get(), Some(42));
    }

    #[test]
    fn an_index_that_goes_backwards_starts_anew() {
        assert_eq!(Index(Some(42)).after(&said("41")).get(), None);
    }

    #[test]
    fn an_index_of_zero_would_not_wait() {
        assert_eq!(Index::default().after(&said("0")).get(), Some(1));
    }

    #[test]
    fn without_an_index_nothing_is_waited_for() {
        assert_eq!(Index(Some(42)).after(&HeaderMap::new()).get(), None);
        assert_eq!(Index(Some(42)).after(&said("many")).get(), None);
    }
}
