//! Which source is opened for what is written.

use std::sync::Arc;
use std::time::Duration;

use menshen_config::document::DiscoverFrom;

use super::consul;
use super::dns::{Addresses, Services};
use super::eureka::{self, Eureka};
use super::file::File;
use super::{Source, Wanted};
use crate::Ground;

/// How often is asked where neither the document nor the source says.
const REFRESH: Duration = Duration::from_secs(30);

/// Opens a source. It is asked nothing yet.
///
/// # Errors
/// Why it cannot be asked, for people.
pub(super) fn open(wanted: &Wanted, ground: &Arc<Ground>) -> Result<Box<dyn Source>, String> {
    let refresh = wanted.discover.refresh.map(|d| d.0);
    let dns = &wanted.registries.dns;
    Ok(match &wanted.discover.from {
        DiscoverFrom::Dns(address) => Box::new(Addresses::new(address, dns, refresh, ground)),
        DiscoverFrom::Srv(name) => Box::new(Services::new(name, dns, refresh, ground)),
        DiscoverFrom::File(path) => {
            Box::new(File::new(ground.files.resolve(&path.0), refresh.unwrap_or(REFRESH)))
        }
        DiscoverFrom::Eureka(query) => {
            let written = wanted.registries.eureka.as_ref().ok_or("nothing says where Eureka is")?;
            Box::new(Eureka::new(eureka::open::registry(&written.value, refresh, ground)?, query.clone()))
        }
        DiscoverFrom::Consul(query) => {
            let written = wanted.registries.consul.as_ref().ok_or("nothing says where Consul is")?;
            Box::new(consul::open::source(&written.value, query, refresh, ground)?)
        }
    })
}
