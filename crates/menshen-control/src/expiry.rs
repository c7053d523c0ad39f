//! When the certificates of the listeners end.

use std::time::{SystemTime, UNIX_EPOCH};

use menshen_proxy::Listener;
use menshen_proxy::condition::UnixSeconds;

/// So long before its end a certificate is worth a warning: 14 days.
const SOON: UnixSeconds = 14 * DAY;

/// The moment from which a certificate is worth a warning: 14 days before its end, but not before the last quarter of its life.
pub fn worrying(begins: UnixSeconds, ends: UnixSeconds) -> UnixSeconds {
    ends - SOON.min((ends - begins).max(0) / 4)
}

const DAY: UnixSeconds = 24 * 3600;

/// A certificate and when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The name of the listener that shows it.
    pub listener: Box<str>,
    /// The first name in it; empty when it has none.
    pub name: Box<str>,
    /// The end, in seconds since 1970.
    pub at: UnixSeconds,
    /// From this moment on it is worth a warning.
    pub worrying: UnixSeconds,
}

/// All certificates of these listeners.
pub fn of<'a>(listeners: impl IntoIterator<Item = &'a Listener>) -> Vec<Expiry> {
    let held = |l: &'a Listener| l.tls.iter().flat_map(|tls| tls.certificates.iter()).map(move |c| (l, c));
    let one = |(listener, certificate): (&Listener, &menshen_proxy::tls::Held)| Expiry {
        listener: listener.name.clone(),
        name: certificate.name.clone(),
        at: certificate.expires,
        worrying: certificate.worrying,
    };
    listeners.into_iter().flat_map(held).map(one).collect()
}

/// A sentence for each certificate that has ended or will soon.
pub fn warnings(certificates: &[Expiry], now: UnixSeconds) -> Vec<String> {
    let soon = certificates.iter().filter(|c| now > c.worrying);
    soon.map(|c| {
        let what = match c.at - now {
            left if left < 0 => "has expired".to_owned(),
            left if left < DAY => "expires within a day".to_owned(),
            left => format!("expires in {} days", left / DAY),
        };
        format!("listeners.{}: the certificate for `{}` {what}; renew it", c.listener, c.name)
    })
    .collect()
}

/// Now, in seconds since 1970.
pub fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixSeconds::try_from(since.as_secs()).unwrap_or(UnixSeconds::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_worth_a_warning_fourteen_days_before_its_end() {
        let of = |name: &str, at| Expiry {
            listener: "web".into(),
            name: name.into(),
            at,
            worrying: worrying(0, at),
        };
        let all = [of("a", 100 * DAY), of("b", 90 * DAY - 1), of("c", 89 * DAY), of("d", 76 * DAY + 7)];
        assert_eq!(
            warnings(&all, 76 * DAY),
            [
                "listeners.web: the certificate for `b` expires in 13 days; renew it",
                "listeners.web: the certificate for `c` expires in 13 days; renew it",
                "listeners.web: the certificate for `d` expires within a day; renew it",
            ]
        );
        assert!(warnings(&all, 77 * DAY)[2].ends_with("`d` has expired; renew it"));
    }

    #[test]
    fn one_with_a_short_life_is_worth_a_warning_in_its_last_quarter() {
        assert_eq!(worrying(0, 90 * DAY), 76 * DAY);
        assert_eq!(worrying(10 * DAY, 16 * DAY), 14 * DAY + DAY / 2);
    }
}
