//! The image of `deploy/Dockerfile`: built and started where Docker runs, else read.

use std::{
    fs,
    time::{Duration, Instant},
};

use tokio::{process::Command, time::sleep};

use crate::{run, script};

use super::deployed;

const NAME: &str = "resilient-engines-image";

/// The time to compile the server without a cache, and for Docker to be ready.
const BUILD: Duration = Duration::from_secs(1800);

async fn docker(args: &[&str]) -> (bool, String) {
    let mut command = Command::new("docker");
    command.args(args);
    let (success, out, err) = run(command, "").await;
    (success, format!("{out}{err}").trim().to_owned())
}

/// The instructions, with continued lines joined.
fn instructions() -> Vec<String> {
    let text = fs::read_to_string(deployed("Dockerfile")).unwrap();
    let text = text.replace("\\\n", " ");
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_image_has_a_slim_base_no_root_and_a_health_check() {
    let instructions = instructions();
    let of = |name: &str| instructions.iter().filter(|line| line.starts_with(name)).collect::<Vec<_>>();
    let bases = of("FROM ");
    assert!(bases.len() == 2 && bases[1].contains("slim") && !bases[1].contains(" AS "), "{bases:?}");
    let user = of("USER ").last().unwrap().trim_start_matches("USER ").to_owned();
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
    let check = of("HEALTHCHECK ")[0];
    for part in
        ["--interval=30s", "--timeout=5s", "--start-period=10s", "--retries=3", r#"CMD ["http-server", "healthcheck"]"#]
    {
        assert!(check.contains(part), "{check}");
    }
    // A shell as PID 1 would not pass signals on.
    for start in [of("ENTRYPOINT "), of("CMD ")].concat() {
        assert!(start.contains('['), "{start}");
    }
    let compiler = fs::read_to_string(script("../../rust-toolchain.toml")).unwrap();
    let compiler = compiler.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    assert!(bases[0].contains(&format!("rust:{compiler}")), "{bases:?}");

    // A client of Docker without a server cannot build.
    if Command::new("docker").arg("version").output().await.is_ok_and(|version| version.status.success()) {
        assert_image_runs().await;
    }
}

/// Builds the image, and asserts that its container becomes healthy and ends on SIGTERM.
async fn assert_image_runs() {
    let mut build = Command::new("docker");
    build.args(["build", "--quiet", "--tag", NAME, "--file"]).arg(deployed("Dockerfile")).arg(script("../.."));
    let output = tokio::time::timeout(BUILD, build.kill_on_drop(true).output()).await.expect("it is built").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let options = ["run", "--detach", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--memory", "512m"];
    let (started, container) = docker(&[&options[..], &[NAME, "--demo", "--bind", "0.0.0.0:8000"]].concat()).await;
    assert!(started, "{container}");
    let container = Container(container);
    let begun = Instant::now();
    loop {
        let (_, health) = docker(&["inspect", "--format", "{{.State.Health.Status}}", &container.0]).await;
        if health == "healthy" {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{health}");
        sleep(Duration::from_secs(1)).await;
    }
    let (stopped, text) = docker(&["stop", "--time", "25", &container.0]).await;
    assert!(stopped, "{text}");
    let (_, code) = docker(&["inspect", "--format", "{{.State.ExitCode}}", &container.0]).await;
    assert_eq!(code, "0");
}

/// A container, which is removed on drop.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        let _ = std::process::Command::new("docker").args(["rm", "--force", "--volumes", &self.0]).output();
    }
}
