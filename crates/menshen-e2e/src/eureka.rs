//! A real Eureka server, Spring Cloud's, where Java and Maven are installed.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::real::{free, listens, program, skip};
use crate::{Client, Response};

/// How long it may take to start: Java, on a machine with other work.
const START: Duration = Duration::from_secs(180);

/// A running Eureka server on a free port.
#[derive(Debug)]
pub struct EurekaServer {
    child: Child,
    address: SocketAddr,
    home: TempDir,
}

impl EurekaServer {
    /// Starts one, built first if this is the first time. `None` when Java or Maven is missing, or Maven cannot get what it
    /// needs: then standard error says that this test was skipped.
    ///
    /// # Panics
    /// When it is there and does not start.
    pub fn start() -> Option<Self> {
        static JAR: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        match JAR.get_or_init(jar) {
            Ok(jar) => Some(Self::run(jar)),
            Err(missing) => skip(missing),
        }
    }

    fn run(jar: &Path) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let [address] = free();
        let this = Self { child: spawn(jar, address, home.path()), address, home };
        this.wait();
        this
    }

    fn wait(&self) {
        let end = Instant::now() + START;
        while !self.answers() {
            assert!(Instant::now() < end, "the Eureka server does not start:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        listens(self.address) && self.ask("GET", "apps/", "").status == 200
    }

    /// The URL that clients are told.
    pub fn url(&self) -> String {
        format!("http://{}/eureka/", self.address)
    }

    /// Sends a request of the protocol and reads the answer.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Response {
        let length = body.len();
        Client::plain(self.address)
            .send(format!(
                "{method} /eureka/{path} HTTP/1.1\r\nHost: eureka\r\nAccept: application/json\r\n\
                 Content-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
            .response()
    }

    /// Registers an instance of an app at this address, with these members beside the usual ones.
    ///
    /// # Panics
    /// When the server does not take it.
    #[track_caller]
    pub fn register(&self, app: &str, id: &str, at: SocketAddr, status: &str, metadata: &str) {
        let (ip, port) = (at.ip(), at.port());
        let body = format!(
            r#"{{"instance":{{"instanceId":"{id}","hostName":"{ip}","app":"{app}","ipAddr":"{ip}","status":"{status}",
              "port":{{"$":{port},"@enabled":"true"}},"securePort":{{"$":443,"@enabled":"false"}},
              "dataCenterInfo":{{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}},
              "leaseInfo":{{"renewalIntervalInSecs":30,"durationInSecs":90}},
              "metadata":{{{metadata}}},"vipAddress":"{app}.vip","secureVipAddress":"{app}.vip"}}}}"#
        );
        let response = self.ask("POST", &format!("apps/{app}"), &body);
        assert_eq!(response.status, 204, "{}", response.text());
    }

    /// Takes an instance off.
    ///
    /// # Panics
    /// When the server does not know it.
    #[track_caller]
    pub fn remove(&self, app: &str, id: &str) {
        assert_eq!(self.ask("DELETE", &format!("apps/{app}/{id}"), "").status, 200);
    }

    /// Ends it: nobody answers any more.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

impl Drop for EurekaServer {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "the Eureka server said:\n{}", self.log());
        }
    }
}

fn spawn(jar: &Path, address: SocketAddr, home: &Path) -> Child {
    let log = File::create(home.join("log")).expect("a file");
    Command::new("java")
        // It lives for seconds: starting fast matters, running fast does not.
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-jar"])
        .arg(jar)
        .arg(format!("--server.port={}", address.port()))
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file"))
        .stderr(log)
        .spawn()
        .expect("Java starts")
}

/// Builds the server into Cargo's folder, unless that was done before.
fn jar() -> Result<PathBuf, String> {
    for name in ["java", "mvn"] {
        if program(name).is_none() {
            return Err(format!("there is no `{name}` here; `.ci/setup` installs Java and Maven"));
        }
    }
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("eureka-server");
    let folder = target().join("eureka-server");
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    // Tests of other processes may build it at the same time.
    let lock = File::create(folder.join(".lock")).map_err(|e| e.to_string())?;
    lock.lock().map_err(|e| e.to_string())?;
    let jar = folder.join("eureka-server.jar");
    if is_newer(&jar, &project.join("pom.xml")) {
        return Ok(jar);
    }
    let done = Command::new("mvn")
        .args(["--quiet", "--batch-mode", "--no-transfer-progress", "package", "--file"])
        .arg(project.join("pom.xml"))
        .arg(format!("-Dbuild.folder={}", folder.display()))
        .stdin(Stdio::null())
        .output()
        .map_err(|e| e.to_string())?;
    match done.status.success() && jar.is_file() {
        true => Ok(jar),
        false => Err(format!("Maven could not build it: {}", String::from_utf8_lossy(&done.stdout))),
    }
}

/// Cargo's folder: that of the test program, without `debug/deps`.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("the test program");
    program.ancestors().nth(3).expect("a folder").to_owned()
}

fn is_newer(file: &Path, than: &Path) -> bool {
    let changed = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
    matches!((changed(file), changed(than)), (Some(file), Some(than)) if file >= than)
}
