//! The mule role: becomes the user's program beside the streams, with the area that it owns.

use crate::error::{Error, Result};
use crate::program::Program;
use crate::role::Born;

/// Becomes the program; returns only if that fails.
///
/// # Errors
/// If there is no such program, or the kernel refuses.
pub fn run(index: usize, mut born: Born) -> Result<()> {
    let mule = born.boot.mule.clone();
    let mule = mule.ok_or_else(|| Error::failed(format!("there is no mule {index}")))?;
    let what = format!("the mule `{}`", mule.command.join(" "));
    let mut program = Program::new(&born.boot, &mule.command, what)?;
    if let Some((area, socket)) = mule.area.zip(born.sockets.pop()) {
        program.listen(socket, &area);
    }
    Err(program.become_it())
}
