//! How long a large document takes: `cargo run --release -p menshen-config --example speed [routes]`.

use std::fmt::Write;
use std::time::Instant;

use menshen_config::{FileId, Problems, Source, parse, yaml};

/// The allocator of the real process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let routes: usize = std::env::args().nth(1).and_then(|routes| routes.parse().ok()).unwrap_or(100_000);
    let text = document(routes);
    println!("{routes} routes, {:.1} MB", text.len() as f64 / 1e6);
    for _ in 0..3 {
        let start = Instant::now();
        let tree = yaml::parse(FileId(0), &text, &mut Problems::new());
        let parsed = start.elapsed();
        drop(tree);
        let sources = [Source::new("menshen.yaml", text.as_str())];
        let start = Instant::now();
        let (document, problems) = parse(&sources);
        let read = start.elapsed();
        assert!(problems.is_empty(), "{problems}");
        assert_eq!(document.routes.len(), routes);
        println!("YAML alone {parsed:.0?}, YAML and decoding {read:.0?}");
    }
}

fn document(routes: usize) -> String {
    let mut text =
        String::from("services:\n  users: { endpoints: [127.0.0.1:9001, 127.0.0.1:9002] }\nroutes:\n");
    for n in 0..routes {
        let _ = write!(
            text,
            "  route-{n}:\n    match: GET /tenants/{n}/**\n    strip: /tenants\n    to: users\n"
        );
        if n % 4 == 0 {
            text.push_str("    filters:\n      - cors: https://app.example.com\n");
        }
    }
    text
}
