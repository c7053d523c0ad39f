//! One order: from names to a certificate (RFC 8555 §7.4).

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, CertificateIdentifier, ChallengeType, Identifier,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::answers::{Answer, Board};
use super::certificate::Certificate;
use super::plan::{Names, Proof};
use super::reason::{NoCertificate, explain, problem_text};

/// How an order is asked after: soon, then less and less often, and not sooner than the authority says.
const ASKING: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(200))
    .backoff(1.5)
    .timeout(Duration::from_secs(240));

/// Gets a certificate for these names: it and its key in PEM. What was put up as an answer stands in `answers`, whose owner
/// takes it down, however this ends.
pub(super) async fn obtain(
    account: &Account,
    names: &Names,
    replaces: Option<&Certificate>,
    (proof, board): (&Proof, &Board),
    answers: &mut Vec<Answer>,
) -> Result<(String, String), NoCertificate> {
    let mut order = place(account, names, replaces).await?;
    *answers = questions(&mut order, proof).await?;
    if !answers.is_empty() {
        board.put_up(proof, answers).await?;
        say_ready(&mut order, proof).await?;
    }
    match order.poll_ready(&ASKING).await {
        Ok(OrderStatus::Ready) => {}
        Ok(_) => return Err(refusals(&mut order, proof, "the authority refused").await.into()),
        Err(error) => match error.into() {
            // The order has one reason at most; the names have one each.
            NoCertificate::Because(why) => return Err(refusals(&mut order, proof, &why).await.into()),
            other => return Err(other),
        },
    }
    let (request, key) = request(names)?;
    order.finalize_csr(&request).await?;
    let chain = order.poll_certificate(&ASKING).await?;
    Ok((chain, key))
}

async fn place(
    account: &Account,
    names: &Names,
    replaces: Option<&Certificate>,
) -> Result<Order, NoCertificate> {
    let identifiers: Vec<Identifier> = names.iter().map(|n| Identifier::Dns(n.to_owned())).collect();
    let replaced = replaces.and_then(Certificate::leaf).and_then(|c| CertificateIdentifier::try_from(c).ok());
    if let Some(replaced) = replaced {
        let refused = match account.new_order(&NewOrder::new(&identifiers).replaces(replaced)).await {
            Ok(order) => return Ok(order),
            Err(error) => error,
        };
        // It may have been replaced before, or be of another authority: then this is an order like any other.
        tracing::debug!("acme: not taken for a renewal: {}", explain(&refused));
        if let later @ NoCertificate::Later(..) = refused.into() {
            return Err(later);
        }
    }
    Ok(account.new_order(&NewOrder::new(&identifiers)).await?)
}

/// What has to be shown for names that the authority does not know to be ours yet.
async fn questions(order: &mut Order, proof: &Proof) -> Result<Vec<Answer>, NoCertificate> {
    let mut answers = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let name = authorization.identifier().to_string();
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            other => return Err(format!("{name}: the authorization is {other:?}").into()),
        }
        let offered = offered(&authorization);
        let Some(challenge) = authorization.challenge(kind(proof)) else {
            let proof = proof.name();
            return Err(format!("{name}: the authority does not offer {proof}, but {offered}").into());
        };
        let key = challenge.key_authorization();
        answers.push(Answer {
            token: challenge.token.clone(),
            text: key.as_str().to_owned(),
            digest: key.digest().as_ref().to_vec(),
            record: key.dns_value(),
            name,
        });
    }
    Ok(answers)
}

fn offered(authorization: &AuthorizationHandle<'_>) -> String {
    let name = |kind: &ChallengeType| match kind {
        ChallengeType::Http01 => "http-01".to_owned(),
        ChallengeType::Dns01 => "dns-01".to_owned(),
        ChallengeType::TlsAlpn01 => "tls-alpn-01".to_owned(),
        ChallengeType::Unknown(name) => name.clone(),
        other => format!("{other:?}"),
    };
    authorization.challenges.iter().map(|c| name(&c.r#type)).collect::<Vec<_>>().join(", ")
}

fn kind(proof: &Proof) -> ChallengeType {
    match proof {
        Proof::Http01 => ChallengeType::Http01,
        Proof::TlsAlpn01 => ChallengeType::TlsAlpn01,
        Proof::Dns01(_) => ChallengeType::Dns01,
    }
}

async fn say_ready(order: &mut Order, proof: &Proof) -> Result<(), NoCertificate> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        if let Some(mut challenge) = authorization.challenge(kind(proof)) {
            challenge.set_ready().await?;
        }
    }
    Ok(())
}

/// What the authority did not like, name by name.
async fn refusals(order: &mut Order, proof: &Proof, otherwise: &str) -> String {
    let mut said = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else { continue };
        let errors = state.challenges.iter().filter_map(|c| c.error.as_ref());
        said.extend(errors.map(|e| format!("{name}: {}: {}", proof.name(), problem_text(e))));
    }
    if said.is_empty() { otherwise.to_owned() } else { said.join("; ") }
}

/// A request for a certificate with a new key, and that key in PEM.
fn request(names: &Names) -> Result<(Vec<u8>, String), String> {
    let names: Vec<String> = names.iter().map(str::to_owned).collect();
    let mut params = CertificateParams::new(names).map_err(|e| e.to_string())?;
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate().map_err(|e| e.to_string())?;
    let request = params.serialize_request(&key).map_err(|e| e.to_string())?;
    Ok((request.der().to_vec(), key.serialize_pem()))
}
