//! A proxy between customer and desk. It delivers every byte, but in pieces that ignore the bounds
//! of frames; or it cuts the connection again and again in the middle of a frame.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The proxy's address, which is dialled instead of the desk's.
pub struct Proxy {
    pub address: String,
    /// Number of connections so far.
    pub dialled: Arc<AtomicUsize>,
}

impl Proxy {
    /// Forwards both ways in pieces of `slice` bytes. Connection `n`, from 0, breaks after
    /// `cut_after(n)` bytes of either direction.
    pub fn start(
        desk: &str,
        slice: usize,
        cut_after: impl Fn(usize) -> usize + Send + 'static,
    ) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address").to_string();
        let (desk, dialled) = (desk.to_owned(), Arc::<AtomicUsize>::default());
        let count = dialled.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let left = cut_after(count.fetch_add(1, Ordering::SeqCst));
                let Ok(far) = TcpStream::connect(&desk) else { continue };
                let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) else {
                    continue;
                };
                thread::spawn(move || forward(near, far, slice, left));
                thread::spawn(move || forward(far_too, near_too, slice, left));
            }
        });
        Proxy { address, dialled }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, slice: usize, mut left: usize) {
    let _ = to.set_nodelay(true);
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        for piece in bytes[..length.min(left)].chunks(slice) {
            if to.write_all(piece).is_err() {
                let _ = from.shutdown(Shutdown::Both);
                return;
            }
        }
        left = left.saturating_sub(length);
        if left == 0 {
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
