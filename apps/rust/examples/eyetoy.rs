//! Shows area 0 on a page: each frame goes as it is to a WebSocket, and the page makes the picture.
//!
//!     cargo build --release --package eyelet-app --example eyetoy
//!     eyelet --app target/release/examples/eyetoy --processes 10

use eyelet_app::{Error, Request, Result};

/// The page of the example in Perl, which asks for the same paths.
const PAGE: &str = include_str!("../../../examples/perl/eyetoy.html");

fn main() -> Result<()> {
    eyelet_app::serve(|request| match request.path() {
        "/eyetoy" => frames(request),
        "/pictures" => pictures(request),
        "/" => request.respond(200, "text/html; charset=utf-8", PAGE),
        _ => request.respond(404, "text/plain", "there is no such page\n"),
    })
}

/// Each frame as a message.
fn frames(request: &mut Request) -> Result<()> {
    if !request.wants_websocket() {
        return request.respond(400, "text/plain", "this is for a WebSocket\n");
    }
    let mut viewer = request.handshake(None)?;
    // Without an end of its own: when the viewer leaves, the call that notices gives an error, and with it this returns.
    loop {
        // A frame that is newer than the last one sent here.
        viewer.wait(0)?;
        // All of it, as one message. Returns when the viewer's connection has taken it.
        viewer.send_area(0)?;
    }
}

/// The camera's JPEG as one endless answer, which `<img src=/pictures>` shows.
fn pictures(request: &mut Request) -> Result<()> {
    let areas = request.areas()?;
    let Some(jpeg) = areas.iter().find(|area| area.name.ends_with("-jpeg")) else {
        return Err(Error::app("there is no stream of JPEG pictures"));
    };
    let headers = [("Content-Type", "multipart/x-mixed-replace; boundary=frame")];
    let mut body = request.answer(200, &headers)?;
    loop {
        body.send("--frame\r\nContent-Type: image/jpeg\r\n\r\n")?;
        body.wait(jpeg)?;
        body.send_area(jpeg)?;
        body.send("\r\n")?;
    }
}
