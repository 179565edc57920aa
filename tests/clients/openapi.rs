//! A program that makes requests of `/-/api/openapi.json`, sensible and senseless ones, and compares the answers with it.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{program, start_with};

/// Requests of each kind for each address; more find nothing more.
const EXAMPLES: &str = "20";
/// What is compared. Not in it: that what fits a schema is accepted, as no schema knows how long an area is.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
     response_headers_conformance,response_schema_conformance,unsupported_method,allow_header_conformance";

#[test]
fn schemathesis_gets_no_answer_that_is_not_described() -> Result<()> {
    let eyelet = start_with(&["--area", "counters=64", "--api-write", "counters"])?;
    let python = std::env::var_os("EYELET_PYTHON").context("EYELET_PYTHON is not set")?;
    let mut command = Command::new(python);
    let description = eyelet.url("/-/api/openapi.json");
    command.args(["-B", "-m", "schemathesis.cli", "run", &description, "--no-color"]);
    // Two do not end, and the other is no answer.
    for path in ["/-/stream.mjpg", "/-/stream.h264", "/-/ws"] {
        command.args(["--exclude-path", path]);
    }
    command.args(["--max-examples", EXAMPLES, "--seed", "1", "--checks", CHECKS]);
    let printed = program::spawn(&eyelet, command)?.finish()?;
    let printed = String::from_utf8_lossy(&printed.stdout);
    ensure!(printed.contains("Tested: 19"), "not every address was tried: {printed}");
    ensure!(eyelet.get("/-/healthz")?.status == 200, "it is not well");
    Ok(())
}
