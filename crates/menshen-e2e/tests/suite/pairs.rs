//! The suite again for every pair of protocols: each pair is a process of its own, in which all clients and services speak
//! its protocols (menshen-e2e's `Pair`). The bridges between what tests write and HTTP/2 use the h2 crate and share nothing
//! with the gateway.
//!
//! Out of the suite are the files beside this folder whose subject is the wire itself: HTTP/1 byte by byte (body_lengths,
//! chunks, heads, keep_alive, mutations, paths, slow_heads, transparency, unread_bodies, upgrades), HTTP/2 frame by frame
//! (h2_*), TLS (tls_*), and sockets (descriptors, limits, proxy_protocol, stopping, unix_*); what runs long (lost_endpoint,
//! reload_*); and what is no traffic (admin, browser, documents). Within the suite some tests have a side that is about one
//! protocol: [`APART`].

use std::process::Command;

use menshen_e2e::{Certificates, Link, Pair};

/// Tests that are not run over some pairs: the name, over which, and why.
const APART: &[(&str, fn(Pair) -> bool, &str)] = &[
    ("aborts::a_slow_reader_holds_the_service_back", client_is_not_plain, "a socket with a small window"),
    ("aborts::a_slow_service_holds_the_client_back", client_is_not_plain, "both directions on two threads"),
    ("access_log::hostile_bytes_stay_within_their_member", client_is_h2, "bytes that no HTTP/2 field has"),
    (
        "access_log::requests_that_were_refused_have_a_line_with_nothing_of_an_earlier_request",
        client_is_h2,
        "malformed lines",
    ),
    ("expectations::a_client_of_http_1_0_gets_no_interim_response", client_is_h2, "HTTP/1.0"),
    (
        "expectations::a_service_that_refuses_the_expectation_costs_the_connection_and_nothing_else",
        client_is_h2,
        "Connection: close",
    ),
    ("expectations::an_unknown_expectation_is_417", client_is_h2, "Connection: close"),
    ("expectations::a_storm_of_interim_responses_is_cut_off", service_is_h2, "interim heads one by one"),
    ("expectations::early_hints_are_passed_on_at_once", service_is_h2, "Connection in an interim head"),
    (
        "expectations::the_100_of_the_service_reaches_the_client_before_it_sends_the_body",
        service_is_h2,
        "Expect is not sent over HTTP/2",
    ),
    (
        "filters_on_requests::browsers_are_told_to_be_careful_unless_the_service_knows_better",
        client_is_tls,
        "what plain HTTP has not",
    ),
    ("forwarded::a_route_to_the_gateway_itself_ends", client_is_tls, "a URL of plain HTTP"),
    ("forwarded::fields_of_one_hop_do_not_cross", is_h2, "Connection, which HTTP/2 has not"),
    (
        "forwarded::fields_of_the_service_s_hop_do_not_reach_the_client",
        service_is_h2,
        "Connection, which HTTP/2 has not",
    ),
    ("metrics::what_was_sent_is_counted_once_each", is_not_plain, "connections and cut content"),
    (
        "responses::a_connection_of_the_service_is_used_again_only_if_it_stays_open",
        service_is_h2,
        "connections of HTTP/1",
    ),
    ("responses::a_response_head_in_doubt_is_a_failure_of_the_service", service_is_h2, "heads of HTTP/1"),
    ("responses::a_response_head_without_end_is_cut_off", service_is_h2, "heads of HTTP/1"),
    (
        "responses::content_that_ends_with_the_connection_becomes_chunked",
        service_is_tls,
        "content to the end of TCP",
    ),
    ("responses::responses_without_content_keep_both_connections", service_is_h2, "connections of HTTP/1"),
    ("retries::a_post_is_never_sent_again", service_is_h2, "connections of HTTP/1"),
    (
        "retries::an_idempotent_request_is_not_sent_again_once_its_body_was_taken",
        service_is_h2,
        "connections of HTTP/1",
    ),
    ("timeouts::a_client_that_does_not_read_is_cut_off", client_is_not_plain, "a socket with a small window"),
    ("timeouts::a_head_that_drips_is_408_at_its_one_deadline", client_is_not_plain, "half a head"),
    ("timeouts::a_request_body_that_stalls_is_408", client_is_h2, "Connection: close"),
    (
        "timeouts::a_service_that_takes_no_more_of_the_request_is_504",
        client_is_not_plain,
        "a socket with a small window",
    ),
    ("timeouts::a_tunnel_without_a_byte_is_closed", is_not_plain, "Upgrade"),
    ("timeouts::an_idle_connection_is_closed_without_a_word", client_is_not_plain, "the end of a connection"),
    ("timeouts::half_a_head_is_408_and_silence_is_closed_without_a_word", client_is_not_plain, "half a head"),
    ("truncation::a_cut_response_is_a_reset_for_a_client_that_could_not_tell_otherwise", is_h2, "HTTP/1.0"),
    ("truncation::the_log_says_what_the_client_saw", service_is_h2, "a reset may overtake the head"),
    (
        "truncation::a_cut_response_is_visibly_cut_for_every_client",
        client_is_h2,
        "HTTP/1.0; a reset may overtake the head",
    ),
];

fn client_is_h2(pair: Pair) -> bool {
    pair.client.is_h2()
}

fn client_is_tls(pair: Pair) -> bool {
    pair.client.is_tls()
}

fn client_is_not_plain(pair: Pair) -> bool {
    pair.client != Link::Http
}

fn service_is_h2(pair: Pair) -> bool {
    pair.service.is_h2()
}

fn service_is_tls(pair: Pair) -> bool {
    pair.service.is_tls()
}

fn is_h2(pair: Pair) -> bool {
    pair.client.is_h2() || pair.service.is_h2()
}

fn is_not_plain(pair: Pair) -> bool {
    pair != Pair::default()
}

/// So many processes run at once.
const AT_ONCE: usize = 3;

/// Runs the suite over a pair; the result is what it said, if a test failed.
fn run(pair: Pair, certificates: &Certificates) -> Result<(), String> {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "--test-threads", "8"]).envs(pair.environment(certificates));
    for (test, _, _) in APART.iter().filter(|(_, does_not_fit, _)| does_not_fit(pair)) {
        command.args(["--skip", test]);
    }
    let output = command.output().expect("the suite runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // Enough of it must have run for the word "suite".
    let passed = said.lines().filter(|l| l.ends_with("... ok")).count();
    match output.status.success() && passed > 100 {
        true => Ok(()),
        false => Err(format!("over {pair}:\n{said}\n{}", String::from_utf8_lossy(&output.stderr))),
    }
}

#[test]
fn everything_holds_over_every_pair_of_protocols() {
    if Pair::current() != Pair::default() {
        return;
    }
    let certificates = Certificates::new();
    let pairs: Vec<Pair> = Pair::all().filter(|pair| *pair != Pair::default()).collect();
    let mut wrong = Vec::new();
    for some in pairs.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let running: Vec<_> = some.iter().map(|pair| scope.spawn(|| run(*pair, &certificates))).collect();
            wrong.extend(running.into_iter().filter_map(|r| r.join().expect("a result").err()));
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_test_that_is_left_out_exists() {
    let listed = Command::new(std::env::current_exe().expect("this program")).arg("--list").output();
    let listed = String::from_utf8(listed.expect("a list").stdout).expect("text");
    for (test, _, why) in APART {
        assert!(listed.lines().any(|l| l.strip_suffix(": test") == Some(test)), "there is no {test} ({why})");
    }
}
