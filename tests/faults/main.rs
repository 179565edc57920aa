//! Faults at random: processes killed and stopped, cameras that go and come back, nothing left of what a process needs,
//! clients of every bad kind; and after each step everything that Eyelet promises.
//!
//! A seed makes the steps ([`plan`]), [`act`] plays them on a [`stage`], [`witness`]es look at every frame all the time,
//! and [`run`] holds the promises. `cargo xtask faults` and `cargo xtask soak` run the same for longer, by the variables in
//! [`order`]. Apart from `tests/it`, as nothing else may run beside a test that counts frames.

mod act;
mod audit;
mod clock;
mod concern;
mod crowd;
mod machine;
mod order;
mod plan;
mod run;
mod sample;
mod stage;
mod thousand;
mod witness;

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};

use order::Order;

/// Lets tests that count frames run one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn random_faults_break_no_promise() -> Result<()> {
    let _alone = alone();
    let order = Order::from_environment()?;
    println!("{order:?}");
    let outcome = run::run(&order)?;
    println!("{}", outcome.text);
    ensure!(outcome.frames > outcome.steps, "hardly anything was seen: {outcome:?}");
    Ok(())
}
