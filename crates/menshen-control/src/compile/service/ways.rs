//! The ways in which the endpoints of a service are spoken to.

use std::sync::Arc;

use menshen_config::document::{Place, Protocol};
use menshen_config::{Path, Problems};
use menshen_proxy::tls::ServiceTls;
use menshen_proxy::{Endpoint, EndpointAddress, HttpVersion, proxy_protocol};

use super::Plan;
use crate::Ground;
use crate::compile::tls::{Identity, Nameless};
use crate::ground::EndpointKey;

pub(super) fn version(protocol: Protocol) -> HttpVersion {
    match protocol {
        Protocol::Http | Protocol::Https => HttpVersion::Http1,
        Protocol::H2 | Protocol::H2c => HttpVersion::Http2,
    }
}

/// The ways in which the endpoints of a service are spoken to: instances may differ from what the document says.
pub(super) struct Ways<'a> {
    pub(super) plan: &'a Plan,
    pub(super) path: &'a Path,
    pub(super) ground: &'a Ground,
    pub(super) introduction: Option<proxy_protocol::Version>,
    pub(super) known: Vec<(Protocol, Result<Option<Identity>, Unusable>)>,
}

/// Which requests an endpoint gets.
#[derive(Clone, Copy)]
pub(super) struct Rank<'a> {
    pub(super) weight: u32,
    pub(super) priority: u8,
    pub(super) zone: Option<&'a str>,
}

/// What TLS needs is not there.
pub(super) struct Unusable;

/// How an endpoint is spoken to.
pub(super) struct Way<'a> {
    plan: &'a Plan,
    ground: &'a Ground,
    version: HttpVersion,
    introduction: Option<proxy_protocol::Version>,
    identity: Option<&'a Identity>,
}

impl Ways<'_> {
    /// `None` after a problem.
    pub(super) fn of(&mut self, protocol: Protocol, problems: &mut Problems) -> Option<Way<'_>> {
        let version = version(protocol);
        if !self.known.iter().any(|(p, _)| *p == protocol) {
            let identity = self.identity(protocol, version, problems);
            self.known.push((protocol, identity));
        }
        let (_, identity) = self.known.iter().find(|(p, _)| *p == protocol)?;
        let Self { plan, ground, introduction, .. } = *self;
        Some(Way { plan, ground, version, introduction, identity: identity.as_ref().ok()?.as_ref() })
    }

    fn identity(
        &self,
        protocol: Protocol,
        version: HttpVersion,
        problems: &mut Problems,
    ) -> Result<Option<Identity>, Unusable> {
        if !protocol.is_tls() {
            return Ok(None);
        }
        let Self { plan, path, ground, .. } = *self;
        if protocol == plan.written.protocol {
            let identity = Identity::of(&plan.written.tls, version, plan.at, path, ground, problems);
            return identity.map(Some).ok_or(Unusable);
        }
        // What a source says must not keep the others from serving.
        let mut aside = Problems::new();
        let identity = Identity::of(&plan.written.tls, version, plan.at, path, ground, &mut aside);
        if identity.is_none() {
            tracing::warn!(service = %plan.name, "instances that speak TLS are left out: {aside}");
        }
        identity.map(Some).ok_or(Unusable)
    }
}

impl Way<'_> {
    /// How TLS is spoken with what is known as `place`, if it is.
    ///
    /// # Errors
    /// It is, and there is no name to verify it for.
    pub(super) fn tls(&self, place: &Place) -> Result<Option<ServiceTls>, Nameless> {
        self.identity.map(|i| i.at(place)).transpose()
    }

    /// The endpoint that is known as `place`, connected to at `address`, and spoken to with this TLS, which is of the
    /// same place.
    pub(super) fn endpoint(
        &self,
        place: &Place,
        address: EndpointAddress,
        rank: Rank<'_>,
        tls: Option<ServiceTls>,
    ) -> Arc<Endpoint> {
        let key = EndpointKey {
            service: self.plan.name.clone(),
            authority: place.to_string().into(),
            address,
            weight: u16::try_from(rank.weight).unwrap_or(u16::MAX),
            priority: rank.priority,
            zone: rank.zone.map(Box::from),
            version: self.version,
            introduction: self.introduction,
            tls: self.identity.map(|i| i.fingerprint),
        };
        self.ground.endpoint(key, tls)
    }
}
