//! Whether anybody is still there, by connecting and hanging up.

use std::time::Duration;

use menshen_config::document::Place;
use menshen_proxy::EndpointAddress;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;

use super::Instance;
use crate::Ground;

/// How many places are tried at most; of more, some by chance.
const MOST: usize = 32;
/// How long connecting may take.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Some of the places of these instances, as many as may be tried at once.
pub(super) fn some_places<'a>(
    ground: &Ground,
    instances: impl Iterator<Item = &'a Instance>,
) -> Vec<EndpointAddress> {
    let mut all: Vec<&Instance> = instances.collect();
    fastrand::shuffle(&mut all);
    let mut places = Vec::new();
    for instance in all {
        match &instance.address {
            Place::Unix(path) => places.push(EndpointAddress::Unix(ground.files.resolve(path).into())),
            Place::Net(address) => {
                places.extend(ground.names.known(address).into_iter().map(EndpointAddress::Tcp));
            }
        }
        if places.len() >= MOST {
            places.truncate(MOST);
            break;
        }
    }
    places
}

/// True as soon as one of them accepts a connection; false when none has within a second.
pub(super) async fn is_anybody_there(places: Vec<EndpointAddress>) -> bool {
    let mut tries: JoinSet<bool> = places.into_iter().take(MOST).map(is_there).collect();
    while let Some(outcome) = tries.join_next().await {
        if outcome.unwrap_or(false) {
            return true;
        }
    }
    false
}

async fn is_there(place: EndpointAddress) -> bool {
    let connected = async {
        match &place {
            EndpointAddress::Tcp(address) => TcpStream::connect(address).await.is_ok(),
            EndpointAddress::Unix(path) => UnixStream::connect(path).await.is_ok(),
        }
    };
    tokio::time::timeout(TIMEOUT, connected).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_who_listens_is_enough() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let there = listener.local_addr().unwrap();
        let places = |list: &[std::net::SocketAddr]| list.iter().copied().map(EndpointAddress::Tcp).collect();
        assert!(is_anybody_there(places(&[gone, there])).await);
        assert!(!is_anybody_there(places(&[gone])).await);
        assert!(!is_anybody_there(Vec::new()).await);
    }
}
