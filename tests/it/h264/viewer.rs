//! A viewer of H.264 that checks of each frame that it could be decoded.

use anyhow::{Context as _, Result, bail, ensure};
use eyelet_harness::wire::h264;
use eyelet_harness::wire::v1::FrameHeader;
use eyelet_harness::wire::websocket::Message;
use eyelet_harness::{DEADLINE, Eyelet, WsClient};
use serde_json::{Value, json};

/// A viewer of `eyelet.v1`.
#[derive(Debug)]
pub(super) struct Viewer {
    ws: WsClient,
    pub(super) config: Value,
    last: Option<FrameHeader>,
}

impl Viewer {
    /// Starts H.264 of the first stream, with more keys.
    pub(super) fn start(eyelet: &Eyelet, more: &Value) -> Result<Self> {
        Self::over(eyelet.websocket("/-/ws", &["eyelet.v1"], &[])?, more)
    }

    /// The same on a socket that has shaken hands.
    pub(super) fn over(mut ws: WsClient, more: &Value) -> Result<Self> {
        let mut start = json!({"t": "start", "formats": ["h264"]});
        for (key, value) in more.as_object().into_iter().flatten() {
            start[key] = value.clone();
        }
        ws.send_text(&start.to_string())?;
        Ok(Self { ws, config: Value::Null, last: None })
    }

    pub(super) fn say(&mut self, message: &Value) -> Result<()> {
        self.ws.send_text(&message.to_string())
    }

    /// Waits for the next frame and checks that it is behind the last one, or a key frame.
    pub(super) fn frame(&mut self) -> Result<(FrameHeader, Vec<u8>)> {
        loop {
            match self.ws.next_message(DEADLINE)?.context("nothing came")? {
                Message::Text(text) => {
                    let text: Value = serde_json::from_str(&text)?;
                    ensure!(text["t"] != "error", "{text}");
                    if text["t"] == "config" {
                        self.config = text;
                    }
                }
                Message::Binary(bytes) => {
                    let (header, start) = FrameHeader::decode(&bytes)?;
                    self.check(&header, &bytes[start..])?;
                    return Ok((header, bytes[start..].to_vec()));
                }
                other => bail!("came {other:?}"),
            }
        }
    }

    /// The same for one after the other until one is accepted, which it gives.
    pub(super) fn frame_that(
        &mut self,
        is_it: impl Fn(&FrameHeader) -> bool,
    ) -> Result<FrameHeader> {
        for _ in 0..2000 {
            let (header, _) = self.frame()?;
            if is_it(&header) {
                return Ok(header);
            }
        }
        bail!("2000 frames, and none such")
    }

    fn check(&mut self, header: &FrameHeader, payload: &[u8]) -> Result<()> {
        ensure!(self.config["id"] == json!(header.config_id), "{header:?}: {}", self.config);
        ensure!(header.flags.key == h264::is_key(payload), "{header:?}");
        if header.flags.key {
            let codec = h264::codec(payload).context("a key frame without parameter sets")?;
            ensure!(self.config["codec"] == json!(codec), "{codec}: {}", self.config);
            let sps = h264::units(payload).find_map(h264::Sps::parse).context("no sets")?;
            ensure!(sps.colour.is_some() && sps.reordered == Some(0), "{sps:?}");
        }
        let Some(last) = self.last.replace(*header) else {
            ensure!(header.flags.key && header.dropped == 0, "begins with {header:?}");
            return Ok(());
        };
        ensure!(header.sequence > last.sequence, "{header:?} after {last:?}");
        let gap = header.sequence - last.sequence - 1;
        let dropped = header.dropped - last.dropped;
        ensure!(u64::from(dropped) == gap, "{header:?} after {last:?}");
        ensure!(header.flags.discontinuity == (gap > 0), "{header:?} after {last:?}");
        ensure!(gap == 0 || header.flags.key, "undecodable: {header:?} after {last:?}");
        Ok(())
    }
}
