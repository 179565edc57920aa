//! Prometheus's own parser reads our metrics.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{program, start};

#[test]
fn prometheus_understands_every_metric() -> Result<()> {
    let eyelet = start()?;
    ensure!(eyelet.get("/-/nothing")?.status == 404, "it is refused, and counted");
    let python = std::env::var_os("EYELET_PYTHON").context("EYELET_PYTHON is not set")?;
    let mut command = Command::new(python);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("prometheus.py");
    command.arg("-B").arg(script).arg(eyelet.url("/-/metrics"));
    let printed = program::spawn(&eyelet, command)?.finish()?;
    let families: BTreeMap<String, (String, usize)> =
        serde_json::from_slice(&printed.stdout).context(printed.stderr)?;
    for (name, kind) in [
        ("eyelet_sent_frames", "counter"),
        ("eyelet_refused_requests", "counter"),
        ("eyelet_process_cpu_seconds", "counter"),
        ("eyelet_limit", "gauge"),
    ] {
        let (is, samples) = families.get(name).with_context(|| format!("no {name}"))?;
        ensure!(is == kind && *samples > 0, "{name}: {is}, {samples} samples");
    }
    Ok(())
}
