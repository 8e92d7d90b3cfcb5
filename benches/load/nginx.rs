//! nginx as a peer of the gateway: with its module nchan a server of events that takes the same
//! requests, and alone a server of files.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::broken::{Broken, broken};
use crate::durable::Folder;
use crate::server::{Server, What};

/// Where Debian has the module (package libnginx-mod-nchan).
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// Whether nginx and its module are here.
pub(crate) fn is_here() -> bool {
    Path::new(NCHAN).exists() && Command::new("nginx").arg("-v").output().is_ok()
}

/// nginx in one process, with the files in this folder. It keeps its own files there, too.
pub(crate) fn start(folder: &Folder) -> Result<Server, Broken> {
    // nginx takes no port 0: this one is free now.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let (path, module) = (folder.path(), fs::canonicalize(NCHAN)?);
    let at = path.to_str().ok_or_else(|| broken("the folder's name is no text"))?;
    let config = format!(
        "load_module {module};
         daemon off; master_process off; worker_rlimit_nofile 30000;
         pid {at}/nginx.pid; error_log {at}/error.log;
         events {{ worker_connections 30000; }}
         http {{
             access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
             client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
             fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
             nchan_max_reserved_memory 1g;
             server {{
                 listen {address};
                 root {at};
                 location = /api/begin {{
                     default_type application/json;
                     return 200 '{{\"token\":\"$request_id\",\"conversation\":\"$request_id\"}}';
                 }}
                 location = /api/say {{
                     nchan_publisher; nchan_channel_id $http_authorization;
                     nchan_message_buffer_length 100;
                 }}
                 location = /api/stream {{
                     nchan_subscriber eventsource; nchan_channel_id $http_authorization;
                     nchan_eventsource_ping_interval 12;
                 }}
             }}
         }}",
        module = module.display(),
    );
    let file = path.join("nginx.conf");
    fs::write(&file, config)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(path).arg("-c").arg(&file);
    Server::listening_at(What::Nginx, command, address)
}
