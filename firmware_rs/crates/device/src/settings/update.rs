//! The key `update`: where updates come from, which is the hub unless it says otherwise.

use core::fmt;

use heapless::String;
use minerva_wire::json::Object;

use super::check::Keys;
use super::url::UPDATE;
use super::{Scheme, SettingsError, Url, pinned};

const KEYS: [&str; 4] = ["ca", "server_name", "token", "url"];
const PREFIX: &str = "update.";

/// The DDI resource of this device, and how its server is known.
#[derive(Clone, PartialEq, Eq)]
pub struct UpdateServer {
    /// From `url`.
    pub scheme: Scheme,
    /// From `url`; an IPv6 address stands without its brackets.
    pub host: String<256>,
    /// From `url`.
    pub port: u16,
    /// From `url`; it does not end with a slash.
    pub path: String<256>,
    /// Absent where the server is the hub: its name, authority and token are the link's.
    pub own: Option<Own>,
}

/// What an update server that is not the hub is known by, and what this device proves itself with there.
#[derive(Clone, PartialEq, Eq)]
pub struct Own {
    /// The fixed name in its certificate.
    pub server_name: String<128>,
    /// Its certificate authority as PEM.
    pub ca: String<4096>,
    /// Never the hub's.
    pub token: String<128>,
}

impl fmt::Debug for UpdateServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateServer")
            .field("host", &self.host)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A secret would end up in a log.
        f.debug_struct("Own")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// The object of the key `update`; `server_name` and `ca` are the link's.
#[expect(clippy::result_large_err, reason = "as settings::parse")]
pub(super) fn read(
    object: Object<'_>,
    server_name: &str,
    ca: &str,
) -> Result<UpdateServer, SettingsError> {
    let keys = Keys::new(object, PREFIX);
    keys.only(&KEYS)?;
    let Url {
        scheme,
        host,
        port,
        mut path,
    } = keys.url(&UPDATE)?;
    path.truncate(path.trim_end_matches('/').len());
    let own = own(&keys)?;
    if scheme == Scheme::Tls {
        let (name, ca) = own.as_ref().map_or((server_name, ca), |own| {
            (own.server_name.as_str(), own.ca.as_str())
        });
        pinned(PREFIX, "an https:// url needs the server's", name, ca)?;
    }
    Ok(UpdateServer {
        scheme,
        host,
        port,
        path,
        own,
    })
}

#[expect(clippy::result_large_err, reason = "as settings::parse")]
fn own(keys: &Keys<'_>) -> Result<Option<Own>, SettingsError> {
    let own = Own {
        server_name: keys.text("server_name", 0, Some(""))?,
        ca: keys.text("ca", 0, Some(""))?,
        token: keys.text("token", 0, Some(""))?,
    };
    if !own.token.is_empty() {
        return Ok(Some(own));
    }
    let given = if !own.server_name.is_empty() {
        "server_name"
    } else if !own.ca.is_empty() {
        "ca"
    } else {
        return Ok(None);
    };
    // Whoever stands behind another name or authority is somebody else: the hub's token is not for them.
    Err(SettingsError::new(format_args!(
        "update.token is empty, but update.{given} is not; an update server of its own has its own token, and one \
         that is the hub has none of server_name, ca, token"
    )))
}
