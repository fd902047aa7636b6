//! Starters of the product's own program for tests: the engine and the simulated exchange as real processes.
//!
//! Each has a log file and is ended by its id when its handle is dropped; nothing outlives a test.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod books;
pub mod http;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;

/// API key of the account that the tests trade with.
pub const KEY: &str = "fulmar";
/// Its secret.
pub const SECRET: &str = "fulmar-secret";

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Holds other tests of the same file back: each of them measures time and needs the machine for itself.
pub fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock()
}

/// A running program with its log.
pub struct Program {
    child: Child,
    log: PathBuf,
    name: String,
}

impl Program {
    /// Starts `fulmar` with these arguments; output and errors go to `log`.
    pub fn start(name: &str, log: &Path, arguments: &[String], environment: &[(&str, &str)]) -> Self {
        let file = File::create(log).expect("the log file can be made");
        let errors = file.try_clone().expect("a second handle of the log");
        let mut command = fulmar();
        command.args(arguments).envs(environment.iter().copied());
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn().expect("the program starts");
        Self { child, log: log.to_owned(), name: name.to_owned() }
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The rest of the first line that holds `mark`, waited for.
    pub fn line_after(&mut self, mark: &str, within: Duration) -> String {
        let end = Instant::now() + within;
        loop {
            let said = self.said();
            if let Some((_, rest)) = said.split_once(mark)
                && let Some((line, _)) = rest.split_once('\n')
            {
                return line.trim().to_owned();
            }
            let status = self.child.try_wait().expect("its state can be read");
            assert!(status.is_none(), "{} ended with {status:?} before it said {mark:?}:\n{said}", self.name);
            assert!(Instant::now() < end, "{} did not say {mark:?} within {within:?}:\n{said}", self.name);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once, as a power failure would.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Tells it to stop, as a service manager would.
    pub fn terminate(&self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill runs");
        assert!(told.success(), "{} was not there to be told", self.name);
    }

    /// Its end, waited for.
    pub fn end(&mut self, within: Duration) -> ExitStatus {
        let end = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().expect("its state can be read") {
                return status;
            }
            assert!(Instant::now() < end, "{} has not ended within {within:?}:\n{}", self.name, tail(&self.said()));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("its state can be read").is_none()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().expect("it can be killed");
            self.child.wait().expect("it ends");
        }
        if std::thread::panicking() {
            eprintln!("---- end of the log of {} ----\n{}", self.name, tail(&self.said()));
        }
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
}

/// The program under test, free of settings in this process's environment.
pub fn fulmar() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fulmar"));
    for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("FULMAR_")) {
        command.env_remove(key);
    }
    command
}

/// Runs the program to its end: exit code, output, errors.
pub fn run(arguments: &[&str]) -> (i32, String, String) {
    let done = fulmar().args(arguments).output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().unwrap_or(-1), text(&done.stdout), text(&done.stderr))
}

/// Arguments as owned text.
pub fn words(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&a| a.to_owned()).collect()
}

/// The simulated exchange as a process of its own.
pub struct Simex {
    /// The process.
    pub program: Program,
    /// `host:port`.
    pub address: String,
}

impl Simex {
    /// Starts one on a free port; its log goes to `folder`.
    pub fn start(folder: &Path, more: &[&str]) -> Self {
        let mut arguments = words(&["simex", "--listen", "127.0.0.1:0"]);
        arguments.extend(words(more));
        let mut program = Program::start("the exchange", &folder.join("simex.log"), &arguments, &[]);
        let url = program.line_after("simex listening on ", Duration::from_secs(30));
        Self { program, address: url.trim_start_matches("http://").to_owned() }
    }

    /// Everything about every account.
    pub fn state(&self) -> Value {
        http::get(&self.address, "/sim/state").expect("the exchange answers").ok()
    }

    /// What the test's account holds.
    pub fn account(&self) -> Value {
        self.state()["accounts"][0].clone()
    }

    /// Records in the exchange's own ledger.
    pub fn records(&self) -> u64 {
        self.state()["ledgerRecords"].as_u64().expect("a count")
    }

    /// The exchange's own ledger from a record on.
    pub fn ledger(&self, after: u64) -> Vec<Value> {
        let answer = http::get(&self.address, &format!("/sim/ledger?after={after}")).expect("the exchange answers");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
    }

    /// Puts a fault in force.
    pub fn fault(&self, json: &str) {
        let answer = http::send(&self.address, "POST", "/sim/faults", json, &[]).expect("the exchange answers");
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// Takes all faults away.
    pub fn no_faults(&self) {
        let answer = http::send(&self.address, "DELETE", "/sim/faults", "", &[]).expect("the exchange answers");
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// A signed question of the test's account.
    pub fn ask(&self, path: &str, parameters: &str) -> Value {
        http::signed(&self.address, "GET", path, parameters).expect("the exchange answers").ok()
    }
}

/// The engine as a process.
pub struct Engine {
    /// The process.
    pub program: Program,
    /// `host:port` of its API.
    pub api: String,
    /// Folder of journal, store and lease.
    pub data: PathBuf,
}

impl Engine {
    /// Starts one over `data`, on an exchange of its own where `exchange` is none; returns once the API answers.
    pub fn start(data: &Path, exchange: Option<&Simex>, more: &[&str]) -> Self {
        let mut program = Self::spawn(data, exchange, more);
        let url = program.line_after("dashboard   http://", Duration::from_secs(60));
        let api = url.trim_end_matches('/').to_owned();
        let end = Instant::now() + Duration::from_secs(60);
        while !http::get(&api, "/api/v1/ping").is_ok_and(|answer| answer.status == 200) {
            assert!(Instant::now() < end, "no ping:\n{}", program.said());
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { program, api, data: data.to_owned() }
    }

    /// Starts one and does not wait for anything.
    pub fn spawn(data: &Path, exchange: Option<&Simex>, more: &[&str]) -> Program {
        let mut arguments = words(&["run", "--data-dir", &data.display().to_string(), "--set", "api.listen=127.0.0.1:0"]);
        if let Some(simex) = exchange {
            for setting in [
                "engine.mode=exchange".to_owned(),
                format!("exchange.rest_url=http://{}", simex.address),
                format!("exchange.ws_url=ws://{}", simex.address),
            ] {
                arguments.extend(["--set".to_owned(), setting]);
            }
        }
        arguments.extend(words(more));
        let environment = [("FULMAR__EXCHANGE__API_KEY", KEY), ("FULMAR__EXCHANGE__API_SECRET", SECRET)];
        let number = (1..).find(|n| !log_of(data, *n).exists()).unwrap_or(1);
        std::fs::create_dir_all(data).expect("the data folder can be made");
        let environment = if exchange.is_some() { &environment[..] } else { &[] };
        Program::start("the engine", &log_of(data, number), &arguments, environment)
    }

    /// An answer of the API that must be 200.
    pub fn get(&self, path: &str) -> Value {
        http::get(&self.api, path).expect("the engine answers").ok()
    }

    /// An answer of the API to a body, whatever its status.
    pub fn post(&self, path: &str, json: &str) -> http::Answer {
        http::send(&self.api, "POST", path, json, &[]).expect("the engine answers")
    }

    /// Waits until the engine's orders and positions were compared with the exchange and the gate stands open.
    pub fn wait_open(&self, within: Duration) {
        wait_for("the gate is open", within, || {
            let status = self.get("/api/v1/status");
            let open = status["reconciled"] == true && status["gate"]["state"] == "open";
            open.then_some(()).ok_or_else(|| status["gate"].to_string())
        });
    }

    /// Tells it to stop and waits: exit code and how long it took.
    pub fn stop(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        self.program.terminate();
        let status = self.program.end(Duration::from_secs(15));
        (status.code(), began.elapsed())
    }
}

fn log_of(data: &Path, number: u32) -> PathBuf {
    data.join(format!("engine-{number}.log"))
}

/// Asks again and again until there is an answer; the last reason is told when there is none in time.
pub fn wait_for<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + within;
    loop {
        match ask() {
            Ok(value) => return value,
            Err(reason) => assert!(Instant::now() < end, "{what}: not within {within:?}: {reason}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
