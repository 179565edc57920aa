//! What a run shall do, as the environment says.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The seed of the run in the check; any other is as good.
const SEED: u64 = 1;
/// Steps of the run in the check.
const STEPS: u64 = 200;

/// How long, and with which faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) seed: u64,
    /// The number of the first step.
    pub(crate) first: u64,
    steps: u64,
    /// Ends the run instead of the number of steps.
    lasts: Option<Duration>,
    /// Where samples go.
    pub(crate) samples: Option<PathBuf>,
}

impl Order {
    /// Reads `EYELET_FAULTS_SEED`, `_FIRST`, `_STEPS`, `_MINUTES` and `_SAMPLES`.
    ///
    /// # Errors
    /// One of them is no number.
    pub(crate) fn from_environment() -> Result<Self> {
        Self::read(|name| std::env::var(format!("EYELET_FAULTS_{name}")).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let number = |name: &str| {
            let number = variable(name).map(|text| text.parse::<u64>().context(text));
            number.transpose().with_context(|| format!("EYELET_FAULTS_{name} is no number"))
        };
        let minutes = number("MINUTES")?;
        Ok(Self {
            seed: number("SEED")?.unwrap_or(SEED),
            first: number("FIRST")?.unwrap_or(0),
            steps: number("STEPS")?.unwrap_or(STEPS),
            lasts: minutes.map(|minutes| Duration::from_secs(60 * minutes)),
            samples: variable("SAMPLES").map(PathBuf::from),
        })
    }

    /// Tells whether the order is done after so many steps, which took so long.
    pub(crate) fn is_done(&self, steps: u64, took: Duration) -> bool {
        self.lasts.map_or(steps >= self.steps, |lasts| took >= lasts)
    }

    /// Gives the command that does these steps again.
    pub(crate) fn again(&self, first: u64, last: u64) -> String {
        let (seed, steps) = (self.seed, last - first + 1);
        let first =
            if first == 0 { String::new() } else { format!("EYELET_FAULTS_FIRST={first} ") };
        format!(
            "EYELET_FAULTS_SEED={seed} {first}EYELET_FAULTS_STEPS={steps} cargo test -p eyelet --test faults random"
        )
    }
}

#[test]
fn an_order_is_read_and_ends() {
    let order = |all: &'static [(&str, &str)]| {
        Order::read(|name| all.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned()))
    };
    let plain = order(&[]).unwrap();
    assert!(!plain.is_done(STEPS - 1, Duration::MAX) && plain.is_done(STEPS, Duration::ZERO));
    let soak = order(&[("SEED", "9"), ("MINUTES", "2")]).unwrap();
    assert!(!soak.is_done(u64::MAX, Duration::from_secs(119)));
    assert!(soak.is_done(0, Duration::from_secs(120)));
    assert!(
        soak.again(3, 7)
            .starts_with("EYELET_FAULTS_SEED=9 EYELET_FAULTS_FIRST=3 EYELET_FAULTS_STEPS=5 ")
    );
    assert!(order(&[("STEPS", "many")]).unwrap_err().to_string().contains("EYELET_FAULTS_STEPS"));
}
