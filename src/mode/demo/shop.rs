//! A shop's page with the chat on it. It comes from another host name than the gateway, as shops'
//! pages do.

use std::net::TcpListener;
use std::thread;

use super::http::{self, Answer};

const PAGE: &str = include_str!("shop.html");

/// A shop that serves nothing yet.
pub(super) struct Shop(TcpListener);

impl Shop {
    /// # Errors
    /// One line, when no port is free.
    pub(super) fn open() -> Result<Shop, String> {
        let listener = TcpListener::bind("127.0.0.1:0");
        listener.map(Shop).map_err(|e| format!("no port is free: {e}"))
    }

    /// The origin of the shop's page, as a browser on this machine sees it.
    ///
    /// # Errors
    /// One line, when the system does not tell the port.
    pub(super) fn origin(&self) -> Result<String, String> {
        let address = self.0.local_addr().map_err(|e| format!("cannot open the shop: {e}"))?;
        Ok(format!("http://localhost:{}", address.port()))
    }

    /// Serves the page, with the chat of this gateway, until the process ends.
    pub(super) fn serve(self, gateway: &str) {
        let page = PAGE.replace("https://chat.shop.example", gateway);
        thread::spawn(move || {
            for stream in self.0.incoming().flatten() {
                http::exchange(stream, |_| Answer::html(&page));
            }
        });
    }
}
