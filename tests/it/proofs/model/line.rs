//! The line between a customer's side and a desk: frames on their way, which a cut loses.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use handoff::wire::{Conn, Decoder, Message, encode};

/// The line, as both ends hold it.
pub type Shared = Rc<RefCell<Line>>;

#[derive(Default)]
pub struct Line {
    pub conn: Option<Conn>,
    /// Whether it was dialled and neither end knows yet that it is open.
    pub is_new: bool,
    /// From the customer to the desk.
    pub up: Way,
    /// From the desk to the customer.
    pub down: Way,
}

/// One direction of a connection.
#[derive(Default)]
pub struct Way {
    pub frames: VecDeque<Vec<u8>>,
    pub decoder: Decoder,
    pub closed: bool,
}

impl Way {
    /// Sends a message. Returns the bytes of its frame.
    pub fn push(&mut self, message: &Message) -> usize {
        let mut bytes = Vec::new();
        encode(message, &mut bytes);
        let size = bytes.len();
        self.frames.push_back(bytes);
        size
    }

    /// The next message that arrives.
    pub fn pop(&mut self) -> Option<Message> {
        let frame = self.frames.pop_front()?;
        self.decoder.push(frame);
        let message = self.decoder.message().expect("our own frames are valid");
        Some(message.expect("a whole frame was pushed"))
    }
}
