//! Frames about the connection and its streams: settings, windows, resets, goodbyes (RFC 9113 §6.4 to §6.9).

use crate::connection::FAREWELL;
use crate::frame::{self, FrameHead, flag};
use crate::settings::{MAX_WINDOW, SETTING, Setting};
use crate::streams::Side;
use crate::{Code, Connection, Lane, Receiver, Role, Stage};

impl<L: Lane> Connection<L> {
    pub(super) fn settings(&mut self, head: &FrameHead, payload: &[u8]) -> Result<(), Code> {
        if head.has(flag::ACK) {
            // We sent ours once, so that one acknowledgement is all there can be.
            let is_new = !std::mem::replace(&mut self.is_acknowledged, true);
            return if is_new { Ok(()) } else { Err(Code::PROTOCOL_ERROR) };
        }
        let (settings, _) = payload.as_chunks::<SETTING>();
        for setting in settings {
            match Setting::read(*setting)? {
                Setting::TableSize(bytes) => self.encoder.peer_table_size(bytes),
                Setting::Streams(n) => self.peer_streams = n,
                Setting::FirstWindow(bytes) => self.start_with_window(bytes)?,
                Setting::Other => {}
            }
        }
        frame::settings_taken(&mut self.out);
        Ok(())
    }

    /// Streams start with another window, and those that are open change by the difference (RFC 9113 §6.9.2).
    fn start_with_window(&mut self, bytes: u32) -> Result<(), Code> {
        let change = i64::from(bytes) - i64::from(self.first_window);
        self.first_window = bytes;
        for stream in self.streams.iter_mut() {
            stream.send_window += change;
            if stream.send_window > MAX_WINDOW {
                return Err(Code::FLOW_CONTROL_ERROR);
            }
            if change > 0 {
                stream.lane.wake();
            }
        }
        Ok(())
    }

    /// The peer takes more (RFC 9113 §6.9).
    pub(super) fn window_update(&mut self, id: u32, bytes: i64) -> Result<(), Code> {
        if bytes == 0 || (id != 0 && self.streams.is_idle(id)) {
            return Err(Code::PROTOCOL_ERROR);
        }
        if id == 0 {
            self.send_window += bytes;
            self.grant();
            return if self.send_window > MAX_WINDOW { Err(Code::FLOW_CONTROL_ERROR) } else { Ok(()) };
        }
        let Some(stream) = self.streams.get(id) else { return Ok(()) };
        let was_shut = stream.send_window <= 0;
        stream.send_window += bytes;
        if was_shut {
            stream.lane.wake();
        }
        if stream.send_window > MAX_WINDOW { Err(Code::FLOW_CONTROL_ERROR) } else { Ok(()) }
    }

    /// The peer takes a stream back (RFC 9113 §6.4).
    pub(super) fn was_reset<R: Receiver<Lane = L>>(
        &mut self,
        id: u32,
        code: Code,
        receiver: &mut R,
    ) -> Result<(), Code> {
        if self.streams.is_idle(id) {
            return Err(Code::PROTOCOL_ERROR);
        }
        if let Some(stream) = self.streams.get(id) {
            stream.inward = Side::Ended;
        }
        self.cut(id, code, receiver);
        Ok(())
    }

    pub(super) fn pinged(&mut self, head: &FrameHead, data: &[u8]) {
        if !head.has(flag::ACK) {
            return frame::ping(&mut self.out, flag::ACK, data);
        }
        self.has_answered = true;
        // Whatever the peer had sent before it knew is here.
        if data == FAREWELL && self.stage == Stage::Leaving {
            self.close();
        }
    }

    /// The peer says goodbye (RFC 9113 §6.8). Streams of ours that it has not looked at are no more.
    pub(super) fn goodbye<R: Receiver<Lane = L>>(&mut self, last: u32, receiver: &mut R) {
        self.has_goodbye = true;
        if self.role == Role::Server {
            return;
        }
        let unseen = self.streams.iter_mut().filter(|s| s.id > last && s.inward == Side::Open);
        let unseen: Vec<u32> = unseen.map(|s| s.id).collect();
        for id in unseen {
            self.cut(id, Code::REFUSED_STREAM, receiver);
        }
    }
}
