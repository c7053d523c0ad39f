//! `compress`: sends replies in fewer bytes to clients that can read them.

mod coding;
mod encoder;
mod media;

use std::sync::Arc;

use menshen_config::OneOrMany;
use menshen_config::quantity::Size;
use menshen_proxy::chain::Step;
use menshen_proxy::http1::{FieldName, Fields, Method, ResponseFraming};
use menshen_proxy::{Body, Exchange, Failure, PostFilter, Reply};
use schemars::JsonSchema;
use serde::Deserialize;

use self::coding::{Choice, Coding};
use self::encoder::{Encoding, Flush};
use self::media::Media;
use crate::{Contract, Filter, Setup, scratch};

/// Compresses replies for clients that accept it, piece by piece as they come: streams such as server-sent events keep
/// flowing. Replies that are compressed already, or that say `Cache-Control: no-transform`, stay as they are. A reply
/// on its way takes 0.4 MiB with gzip, 1.2 MiB with zstd and 1.4 MiB with brotli, and 3 MiB at the highest levels.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// The codings to use; of those that a client likes alike, the first. Default: `[zstd, br, gzip]`.
    with: OneOrMany<Coding>,
    /// The content to compress, by its type: `application/json`, `text/*`, `*+json`. Default: text, JSON, XML,
    /// JavaScript, WebAssembly and SVG.
    types: OneOrMany<Media>,
    /// Shorter replies are left alone, where the length is known beforehand. Default `1KiB`.
    min: Size,
    /// How hard to try.
    level: Levels,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            with: [Coding::Zstd, Coding::Br, Coding::Gzip].into_iter().collect(),
            types: media::default().into_iter().collect(),
            min: Size::kib(1),
            level: Levels::default(),
        }
    }
}

/// How hard each coding tries: more is smaller and slower. Higher levels than these take up to 80 MiB for each reply on
/// its way; they are meant for files that are compressed once.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Levels {
    /// 1 to 9. Default 6.
    gzip: u8,
    /// 0 to 6. Default 4.
    br: u8,
    /// 1 to 6. Default 3.
    zstd: u8,
}

impl Default for Levels {
    fn default() -> Self {
        Self { gzip: 6, br: 4, zstd: 3 }
    }
}

/// The filter.
pub struct Compress {
    with: Box<[Coding]>,
    types: Box<[Media]>,
    min: u64,
    levels: Levels,
}

impl Filter for Compress {
    const NAME: &'static str = "compress";
    const SHORT: Option<&'static str> = Some("with");
    const CONTRACT: Contract = Contract { changes_reply_content: true, ..Contract::NONE };
    type Config = Config;

    fn install(config: Config, setup: &mut Setup<'_>, step: &mut Step) {
        let Config { with, types, min, level } = config;
        if with.is_empty() {
            setup.error("with", "no coding is named, so nothing would be compressed");
        }
        if types.is_empty() {
            setup.error("types", "no type is named, so nothing would be compressed");
        }
        for (name, value, range) in
            [("gzip", level.gzip, 1..=9), ("br", level.br, 0..=6), ("zstd", level.zstd, 1..=6)]
        {
            if !range.contains(&value) {
                let (low, high) = (range.start(), range.end());
                setup.error("level", format!("the level of {name} is {low} to {high}, not {value}"));
            }
        }
        let (with, types) = (with.0.into(), types.0.into());
        step.post(Arc::new(Self { with, types, min: min.bytes(), levels: level }));
    }
}

impl PostFilter for Compress {
    fn post(&self, exchange: &mut Exchange, reply: &mut Reply) -> Result<(), Failure> {
        let request = &exchange.request;
        if !self.is_meant(request.method(), reply) {
            return Ok(());
        }
        let is_short = length(reply).is_some_and(|n| n < self.min.max(1));
        let choice = coding::choose(&request.fields, &self.with);
        let coding = match choice {
            Choice::OnlyCoded(coding) => Some(coding),
            Choice::Plain | Choice::Coded(_) if is_short => return Ok(()),
            Choice::Coded(coding) => Some(coding),
            Choice::Plain => None,
        };
        vary(&mut reply.head.fields);
        let Some(coding) = coding else { return Ok(()) };
        announce(&mut reply.head.fields, coding);
        let flush = if matches!(reply.body, Body::Full(_)) { Flush::AtEnd } else { Flush::EachPiece };
        if !matches!(reply.body, Body::Empty) {
            reply.transforms.push(Box::new(Encoding::new(coding, self.levels, flush)));
        }
        Ok(())
    }
}

impl Compress {
    /// True when the reply has content, or would have to GET, that may and should be compressed.
    fn is_meant(&self, method: Method, reply: &Reply) -> bool {
        let fields = &reply.head.fields;
        let has_content = match &reply.body {
            Body::Empty => method == Method::Head,
            Body::Full(_) | Body::Streaming => true,
        };
        has_content
            && !matches!(reply.head.status, 0..=199 | 204..=206 | 304)
            && !fields.has(FieldName::CONTENT_RANGE)
            && fields.get(FieldName::CONTENT_TYPE).is_some_and(|t| self.types.iter().any(|m| m.matches(t)))
            && fields.members(FieldName::CONTENT_ENCODING).all(|c| c.eq_ignore_ascii_case(b"identity"))
            && !fields.members(FieldName::CACHE_CONTROL).any(|c| c.eq_ignore_ascii_case(b"no-transform"))
            && !is_digested(fields)
    }
}

/// True when a field vouches for the bytes as they are.
fn is_digested(fields: &Fields) -> bool {
    const DIGESTS: [&[u8]; 4] = [b"content-digest", b"repr-digest", b"digest", b"content-md5"];
    fields.iter().any(|f| f.id == FieldName::OTHER && DIGESTS.iter().any(|d| f.name.eq_ignore_ascii_case(d)))
}

/// The length of the content, where it is known.
fn length(reply: &Reply) -> Option<u64> {
    match (&reply.body, reply.head.framing) {
        _ if !reply.transforms.is_empty() => None,
        (Body::Full(bytes), _) => u64::try_from(bytes.len()).ok(),
        (Body::Streaming, ResponseFraming::Length(n)) => Some(n),
        (Body::Streaming, _) => None,
        (Body::Empty, _) => {
            std::str::from_utf8(reply.head.fields.get(FieldName::CONTENT_LENGTH)?).ok()?.parse().ok()
        }
    }
}

fn vary(fields: &mut Fields) {
    let is_said =
        fields.members(FieldName::VARY).any(|m| m == b"*" || m.eq_ignore_ascii_case(b"accept-encoding"));
    if !is_said {
        fields.extend_list(FieldName::VARY, b"Accept-Encoding");
    }
}

/// Makes the fields those of the coded content: its bytes are no longer the ones that a strong tag, a length or a
/// range stand for.
fn announce(fields: &mut Fields, coding: Coding) {
    fields.set(FieldName::CONTENT_ENCODING, coding.name());
    fields.remove(FieldName::CONTENT_LENGTH);
    fields.remove_named(b"accept-ranges");
    if fields.get(FieldName::ETAG).is_some_and(|tag| !tag.starts_with(b"W/")) {
        scratch::with(|weak| {
            weak.extend_from_slice(b"W/");
            weak.extend_from_slice(fields.get(FieldName::ETAG).unwrap_or_default());
            fields.set(FieldName::ETAG, weak);
        });
    }
}

#[cfg(test)]
mod tests;
