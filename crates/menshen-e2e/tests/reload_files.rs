//! The configuration on disk: what is written there is served, unless it is wrong.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use menshen::{Gateway, Origin};
use menshen_e2e::{Client, eventually};
use serde_json::Value;
use tempfile::TempDir;

const SETTINGS: &str = "
gateway: { admin: '127.0.0.1:0', access-log: off, workers: 1 }
listeners: { http: { bind: '127.0.0.1:0' } }
";

fn route(name: &str) -> String {
    format!("routes: {{ {name}: {{ match: /{name}, to: {{ respond: {{ body: {name} }} }} }} }}\n")
}

/// A gateway that serves the files of a directory of its own.
struct Served {
    directory: TempDir,
    gateway: Gateway,
}

impl Served {
    /// Serves a file with this route.
    fn file(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("menshen.yaml");
        fs::write(&file, SETTINGS.to_owned() + &route(name)).unwrap();
        Self { gateway: Gateway::start(Origin::Path(file)).unwrap(), directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Puts a file in the place of another in one step.
    fn replace(&self, name: &str, text: &str) {
        self.write("new", text);
        fs::rename(self.path().join("new"), self.path().join(name)).unwrap();
    }

    fn status_of(&self, target: &str) -> u16 {
        Client::connect(self.gateway.listeners()[0].1.tcp().unwrap()).get(target).status
    }

    fn serves(&self, target: &str) -> bool {
        self.status_of(target) == 200
    }

    fn admin(&self, target: &str) -> String {
        Client::connect(self.gateway.admin().unwrap())
            .ask(&format!("GET {target}"), &["Host: localhost"])
            .text()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.admin("/status")).unwrap()
    }

    fn refusal(&self) -> String {
        self.status()["refusal"].as_str().unwrap_or_default().to_owned()
    }
}

#[test]
fn a_file_is_read_again_when_it_is_replaced_or_written_in_place() {
    let served = Served::file("one");
    served.replace("menshen.yaml", &(SETTINGS.to_owned() + &route("two")));
    eventually("the new file is served", || served.serves("/two"));
    assert!(!served.serves("/one"));
    served.write("menshen.yaml", &(SETTINGS.to_owned() + &route("three")));
    eventually("what was written in place is served", || served.serves("/three"));
    assert!(!served.serves("/two"));
    assert_eq!(served.status()["refusal"], Value::Null);
}

#[test]
fn a_link_that_is_turned_to_another_directory_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for (version, name) in [("v1", "one"), ("v2", "two")] {
        fs::create_dir(path(version)).unwrap();
        fs::write(path(version).join("menshen.yaml"), SETTINGS.to_owned() + &route(name)).unwrap();
    }
    // As Kubernetes mounts a ConfigMap.
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, path(name)).unwrap();
    link("v1", "..data");
    link("..data/menshen.yaml", "menshen.yaml");
    let gateway = Gateway::start(Origin::Path(path("menshen.yaml"))).unwrap();
    let served = Served { gateway, directory };
    assert!(served.serves("/one"));
    std::os::unix::fs::symlink("v2", served.path().join("..new")).unwrap();
    fs::rename(served.path().join("..new"), served.path().join("..data")).unwrap();
    eventually("the other directory is served", || served.serves("/two"));
}

#[test]
fn a_wrong_file_is_refused_with_its_reason_and_the_last_good_one_goes_on() {
    let served = Served::file("one");
    let bad = SETTINGS.to_owned() + "routes: { two: { match: /two, to: nowhere } }\n";
    served.replace("menshen.yaml", &bad);
    eventually("the file is refused", || !served.refusal().is_empty());
    let refusal = served.refusal();
    assert!(
        refusal.contains("menshen.yaml:4:") && refusal.contains("no service named `nowhere`"),
        "{refusal}"
    );
    let status = served.status();
    assert_eq!(
        (&status["version"], &status["refused"], &status["ready"]),
        (&1.into(), &1.into(), &true.into())
    );
    let metrics = served.admin("/metrics");
    assert!(
        metrics.contains("menshen_config_refusals_total 1\n")
            && metrics.contains("menshen_config_last_reload_good 0\n")
    );
    assert!(served.serves("/one"));

    for (text, why) in [
        ("routes: [", ":1:"),
        ("\u{0}", ":1:"),
        ("", "there is no listener"),
        ("listener: {}", "did you mean `listeners`"),
    ] {
        served.replace("menshen.yaml", text);
        eventually(why, || served.refusal().contains(why));
        assert!(served.serves("/one"), "{text:?}");
    }
    served.replace("menshen.yaml", &(SETTINGS.to_owned() + &route("two")));
    eventually("the mended file is served", || served.serves("/two"));
    assert_eq!(served.status()["refusal"], Value::Null);
    assert!(served.admin("/metrics").contains("menshen_config_last_reload_good 1\n"));
}

#[test]
fn a_file_that_is_away_for_a_while_is_told_until_it_is_back() {
    let served = Served::file("one");
    let file = served.path().join("menshen.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    eventually("its absence is told", || served.refusal().contains("there is no such file"));
    assert!(served.serves("/one"));
    served.replace("menshen.yaml", &text);
    eventually("nothing is wrong any more", || served.refusal().is_empty());
    assert!(served.serves("/one"));
}

#[test]
fn a_neighbour_that_never_rests_does_not_hold_up_a_reload() {
    let served = Served::file("one");
    let (busy, neighbour) = (AtomicBool::new(true), served.path().join("access.log"));
    std::thread::scope(|scope| {
        let (busy, neighbour) = (&busy, &neighbour);
        scope.spawn(move || {
            while busy.load(Ordering::Relaxed) {
                fs::write(neighbour, "line\n").unwrap();
                std::thread::yield_now();
            }
        });
        served.replace("menshen.yaml", &(SETTINGS.to_owned() + &route("two")));
        let end = std::time::Instant::now() + menshen_e2e::PATIENCE;
        while !served.serves("/two") && std::time::Instant::now() < end {
            std::thread::yield_now();
        }
        busy.store(false, Ordering::Relaxed);
        assert!(std::time::Instant::now() < end, "the reload waited for the neighbour");
    });
    assert_eq!(served.status()["version"], 2, "only the configuration counts");
}

#[test]
fn the_files_of_a_directory_count_together() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), SETTINGS).unwrap();
    fs::write(directory.path().join("b.yml"), route("one")).unwrap();
    fs::write(directory.path().join(".hidden.yaml"), "not: [ a document").unwrap();
    fs::write(directory.path().join("notes.txt"), "not: [ a document").unwrap();
    let gateway = Gateway::start(Origin::Path(directory.path().to_owned())).unwrap();
    let served = Served { gateway, directory };
    assert!(served.serves("/one"));
    served.replace("c.yaml", &route("two"));
    eventually("the new file counts", || served.serves("/two"));
    assert!(served.serves("/one"));

    served.replace("d.yaml", &route("one"));
    eventually("a name in two files is refused", || served.refusal().contains("`one` is given twice"));
    assert!(
        served.refusal().contains("d.yaml:1:") && served.refusal().contains("b.yml:1"),
        "{}",
        served.refusal()
    );
    fs::remove_file(served.path().join("d.yaml")).unwrap();
    fs::remove_file(served.path().join("b.yml")).unwrap();
    eventually("what is gone is not served", || !served.serves("/one"));
    assert!(served.serves("/two") && served.refusal().is_empty());
}
