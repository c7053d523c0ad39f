//! Quantities carry their unit: `10s`, `64KiB`, `100/s`, `12.5%`.

mod bounded;
mod caller;
mod cidr;
mod duration;
mod per_worker;
mod percent;
mod rate;
mod secret;
mod size;

pub use bounded::Bounded;
pub use caller::Caller;
pub use cidr::{Cidr, UNIX};
pub use duration::Duration;
pub use per_worker::PerWorker;
pub use percent::Percent;
pub use rate::Rate;
pub(crate) use secret::SECRET_IN_PLAIN;
pub use secret::Secret;
pub use size::Size;

/// Splits `64KiB` into `64` and `KiB`.
fn number_and_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}
