//! Which source is opened for what is written.

use std::sync::Arc;
use std::time::Duration;

use menshen_config::document::DiscoverFrom;

use super::dns::{Addresses, Services};
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
        DiscoverFrom::Eureka(_) => return Err("Eureka cannot be asked yet".to_owned()),
        DiscoverFrom::Consul(_) => return Err("Consul cannot be asked yet".to_owned()),
    })
}
