//! Whom a fault may concern: everybody else must notice nothing.

use std::fs;
use std::net::SocketAddr;

use eyelet_harness::process::descriptors;

use crate::plan::{Camera, Fault, Step, Who};
use crate::stage::Stage;
use crate::witness::{Post, Way};

/// Tells whether a witness may be cut off, or miss frames, while this step lasts.
///
/// `serve` gives the serve process that it is connected to.
pub(crate) fn concerns(step: &Step, post: &Post, serve: impl Fn() -> Option<usize>) -> bool {
    step.faults.iter().any(|fault| match *fault {
        // The script that is no script changes nothing.
        Fault::BrokenReload => false,
        Fault::Reload => post.way == Way::App,
        Fault::Kill(who) | Fault::Freeze(who) | Fault::Starve(who, _) => needs(post, &serve, who),
        Fault::Pipe(_) => post.camera == Camera::Pipe,
        Fault::Clip(_) => post.camera == Camera::Clip,
        _ => false,
    })
}

/// Tells whether what a witness sees goes through this process.
fn needs(post: &Post, serve: impl Fn() -> Option<usize>, who: Who) -> bool {
    match who {
        Who::Capture(camera) => post.camera == camera,
        Who::Encode => post.way == Way::Mjpeg,
        // Who is not let in yet may be by either.
        Who::Serve(index) => post.way.is_network() && serve().is_none_or(|serve| serve == index),
        Who::App => post.way == Way::App,
        Who::Supervisor | Who::Keep | Who::Mule => false,
    }
}

/// Finds the serve process that has the other end of a client's connection.
pub(crate) fn serve_of(stage: &Stage, client: Option<SocketAddr>) -> Option<usize> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let inode = inode(&table, stage.eyelet.addr().port(), client?.port())?;
    let wanted = format!("socket:[{inode}]");
    (0..2).find(|index| {
        let open = stage.find(Who::Serve(*index)).and_then(|serve| descriptors(serve.pid).ok());
        open.is_some_and(|open| open.iter().any(|(_, what)| what.as_os_str() == wanted.as_str()))
    })
}

/// Source: `proc_pid_net(5)`: local and remote address in the second and the third column, the inode in the tenth.
fn inode(table: &str, local: u16, remote: u16) -> Option<&str> {
    let (local, remote) = (format!(":{local:04X}"), format!(":{remote:04X}"));
    table.lines().find_map(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_it = columns.get(1)?.ends_with(&local) && columns.get(2)?.ends_with(&remote);
        is_it.then(|| columns.get(9).copied())?
    })
}

#[test]
fn a_connection_is_found_in_the_kernels_table() {
    let line = "   1: 0100007F:2513 0100007F:D001 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 20 4 0 10 -1\n";
    assert_eq!(inode(line, 0x2513, 0xD001), Some("4711"));
    assert_eq!(inode(line, 0xD001, 0x2513), None);
}
