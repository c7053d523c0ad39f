//! `menshen services`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use menshen_config::document::Admin;
use menshen_control::fixed::Fixed;
use serde_json::Value;

use super::Where;

/// How long the gateway may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    place: Where,
    /// The address of the admin API. Default: as the configuration says.
    #[arg(long, value_name = "HOST:PORT")]
    admin: Option<SocketAddr>,
    /// Print what the admin API says.
    #[arg(long)]
    json: bool,
    /// Only this service, with all of its endpoints.
    service: Option<String>,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, String> {
    let admin = match options.admin {
        Some(address) => address,
        None => configured(&options.place)?,
    };
    let target = match &options.service {
        None => "/services".to_owned(),
        Some(name) => format!("/services/{}", escaped(name)),
    };
    let (status, body) = get(admin, &target)?;
    match status {
        200 => {}
        404 if options.service.is_some() => {
            return Err(format!(
                "the gateway has no service `{}`; `menshen services` lists them",
                options.service.as_deref().unwrap_or_default()
            ));
        }
        _ => return Err(format!("http://{admin}{target} answered {status}: {}", body.trim())),
    }
    let answer: Value =
        serde_json::from_str(&body).map_err(|e| format!("http://{admin}{target} is no gateway: {e}"))?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&answer).unwrap_or(body));
        return Ok(ExitCode::SUCCESS);
    }
    let services = match &options.service {
        Some(_) => std::slice::from_ref(&answer),
        None => answer["services"].as_array().map_or(&[][..], Vec::as_slice),
    };
    print(services);
    Ok(ExitCode::SUCCESS)
}

fn configured(place: &Where) -> Result<SocketAddr, String> {
    let (document, _) = menshen_config::parse(&place.origin().read()?);
    match Fixed::of(&document.gateway).admin {
        Admin::At(address) => Ok(address),
        Admin::Off => Err("the configuration says `admin: off`: there is nobody to ask".to_owned()),
    }
}

/// What a name may hold beside letters and digits stands escaped in a path (RFC 3986 §2.1).
fn escaped(name: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(escape).collect()
}

/// One question over a connection of its own.
fn get(admin: SocketAddr, target: &str) -> Result<(u16, String), String> {
    let told = |e: std::io::Error| {
        format!("no gateway answers at {admin}: {e}; start it, or name another address with `--admin`")
    };
    let mut stream = TcpStream::connect_timeout(&admin, PATIENCE).map_err(told)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(told)?;
    let request = format!("GET {target} HTTP/1.0\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(told)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(told)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok());
    match (status, answer.split_once("\r\n\r\n")) {
        (Some(status), Some((_, body))) => Ok((status, body.to_owned())),
        _ => Err(format!("what answers at {admin} is no gateway")),
    }
}

/// What the table has of a service, in its first line only, and of each of its endpoints: headings and keys.
const OF_SERVICE: [(&str, &str); 3] = [("SERVICE", "name"), ("SOURCE", "source"), ("STATE", "state")];
const OF_ENDPOINT: [(&str, &str); 9] = [
    ("ENDPOINT", "id"),
    ("ADDRESS", "address"),
    ("ZONE", "zone"),
    ("WEIGHT", "weight"),
    ("HEALTH", "health"),
    ("IN FLIGHT", "in-flight"),
    ("LATENCY MS", "latency-ms"),
    ("ATTEMPTS", "attempts"),
    ("FAILURES", "failures"),
];
const COLUMNS: usize = OF_SERVICE.len() + OF_ENDPOINT.len();

type Row = [String; COLUMNS];

fn row(of_service: [String; OF_SERVICE.len()], of_endpoint: [String; OF_ENDPOINT.len()]) -> Row {
    let mut cells = of_service.into_iter().chain(of_endpoint);
    std::array::from_fn(|_| cells.next().unwrap_or_default())
}

fn print(services: &[Value]) {
    let head = row(OF_SERVICE.map(|(head, _)| head.to_owned()), OF_ENDPOINT.map(|(head, _)| head.to_owned()));
    let mut rows = vec![head];
    services.iter().for_each(|s| add_rows(s, &mut rows));
    let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
    let notes: Vec<String> = services.iter().flat_map(notes).collect();
    if !notes.is_empty() {
        println!();
        notes.iter().for_each(|note| println!("{note}"));
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn add_rows(service: &Value, rows: &mut Vec<Row>) {
    let endpoints = service["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
    let of_service = OF_SERVICE.map(|(_, key)| text(&service[key]));
    if endpoints.is_empty() {
        let mut nothing = OF_ENDPOINT.map(|_| "-".to_owned());
        nothing[0] = "none".to_owned();
        rows.push(row(of_service.clone(), nothing));
    }
    for (i, endpoint) in endpoints.iter().enumerate() {
        let mut of_endpoint = OF_ENDPOINT.map(|(_, key)| text(&endpoint[key]));
        if endpoint["id"].is_null() {
            of_endpoint[0] = text(&endpoint["authority"]);
        }
        rows.push(row(if i == 0 { of_service.clone() } else { Default::default() }, of_endpoint));
    }
}

/// What does not fit into the table, a line for each.
fn notes(service: &Value) -> Vec<String> {
    let name = text(&service["name"]);
    let seconds = |value: &Value| value.as_f64().map(|s| format!("{s:.0} s"));
    let mut notes = Vec::new();
    let age = seconds(&service["age"]).map(|age| format!("confirmed {age} ago"));
    let next = seconds(&service["next-refresh"]).map(|next| format!("asked again in {next}"));
    let times: Vec<String> = age.into_iter().chain(next).collect();
    if !times.is_empty() {
        notes.push(format!("{name}: {}", times.join(", ")));
    }
    if let Some(why) = service["error"].as_str() {
        let since = seconds(&service["failing-for"]).unwrap_or_default();
        notes.push(format!("{name}: no answer for {since}: {why}"));
    }
    if let Some(circuit) = service["circuit"].as_str().filter(|c| *c != "closed") {
        notes.push(format!("{name}: its circuit breaker is {circuit}; requests are answered at once"));
    }
    let endpoints = service["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
    for endpoint in endpoints.iter().filter(|e| !e["reason"].is_null()) {
        let [address, health, why] = ["address", "health", "reason"].map(|key| text(&endpoint[key]));
        let since = seconds(&endpoint["health-age"]).map_or(String::new(), |s| format!(" for {s}"));
        let next =
            seconds(&endpoint["next-trial"]).map_or(String::new(), |s| format!(", tried again in {s}"));
        notes.push(format!("{name}: {address} is {health}{since} ({why}){next}"));
    }
    let held = &service["held"];
    if !held.is_null() {
        let since = seconds(&held["held-for"]).unwrap_or_default();
        let (left, of) = (&held["left"], &held["of"]);
        notes.push(format!("{name}: for {since} only {left} of {of} endpoints are said to be left; the others stay until nobody answers there"));
    }
    let (shown, all) = (endpoints.len(), &service["endpoint-count"]);
    if all.as_u64().is_some_and(|n| n > shown as u64) {
        notes.push(format!(
            "{name}: {shown} of {all} endpoints are shown; `menshen services {name}` shows all"
        ));
    }
    notes
}
