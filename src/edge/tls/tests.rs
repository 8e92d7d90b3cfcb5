//! Keys and pins, on real files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

const ADDRESS: &str = "Desk.example:5000";
const PEER: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

/// A folder for one test. It is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("handoff-tls-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key() -> Fingerprint {
    Identity::fresh().unwrap().fingerprint().unwrap()
}

fn first_contact(file: Option<PathBuf>) -> Trust {
    Trust::FirstContact(KnownDesks::new(file))
}

fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_fingerprint_is_written_as_it_is_read() {
    let written = key().to_string();
    assert_eq!(written.len(), "SHA256:".len() + 43);
    assert_eq!(written.parse::<Fingerprint>().unwrap().to_string(), written);
    for wrong in ["", "SHA256:", "sha256:x", &written[7..], &format!("{written}="), "SHA256:AAAA"] {
        assert!(
            wrong.parse::<Fingerprint>().unwrap_err().contains("as the desk prints it"),
            "{wrong}"
        );
    }
}

#[test]
fn a_desk_has_the_same_key_at_every_start_and_nobody_else_can_read_it() {
    let folder = Folder::new("kept");
    let file = folder.file("keys/default.pem");
    let first = Identity::kept(&file).unwrap().fingerprint().unwrap();
    assert_eq!(Identity::kept(&file).unwrap().fingerprint().unwrap(), first);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.file("keys")).unwrap().count(), 1, "no half of a key is left");
    assert_ne!(key(), first);
}

#[test]
fn a_key_that_is_open_to_others_or_damaged_is_refused_with_what_to_do() {
    let folder = Folder::new("loose");
    let file = folder.file("default.pem");
    Identity::kept(&file).unwrap();
    set_mode(&file, 0o644);
    let why = Identity::kept(&file).err().unwrap();
    assert_eq!(why, format!("{0} is open to other users; run: chmod 600 {0}", file.display()));
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, "-----BEGIN").unwrap();
    assert!(
        Identity::kept(&file).err().unwrap().contains("no private key; restore it, or remove it")
    );
}

#[test]
fn the_first_key_at_an_address_is_remembered_and_another_one_refused() {
    let folder = Folder::new("pins");
    let (file, keys) = (folder.file("state/known_desks"), [key(), key()]);
    let judge = |address, key| first_contact(Some(file.clone())).judge(address, PEER, Some(key));
    assert!(
        judge(ADDRESS, keys[0]).unwrap().unwrap().contains(&keys[0].to_string()),
        "the notice comes once"
    );
    assert_eq!(judge(ADDRESS, keys[0]), Ok(None));
    assert_eq!(judge("DESK.EXAMPLE:5000", keys[0]), Ok(None), "names have no case");
    assert!(
        judge("desk.example:5001", keys[1]).is_ok_and(|told| told.is_some()),
        "another port is another desk"
    );
    let why = judge(ADDRESS, keys[1]).unwrap_err();
    for part in [
        &keys[0].to_string(),
        &keys[1].to_string(),
        &format!("remove line 1 of {}", file.display()),
    ] {
        assert!(why.contains(part), "{why} lacks {part}");
    }
    assert_eq!(
        fs::read_to_string(&file).unwrap().lines().count(),
        2,
        "a refused key is not remembered"
    );
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    set_mode(&file, 0o444);
    assert_eq!(
        judge(ADDRESS, keys[0]),
        Ok(None),
        "a file that others can read is accepted: its content is no secret"
    );
    set_mode(&file, 0o664);
    assert!(
        judge(ADDRESS, keys[0]).unwrap_err().contains("chmod 600"),
        "a file that others can write is refused"
    );
}

#[test]
fn a_damaged_line_of_known_desks_accepts_no_key() {
    let folder = Folder::new("damaged");
    let (file, key) = (folder.file("known_desks"), key());
    let judge = |text: String| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        first_contact(Some(file.clone())).judge(ADDRESS, PEER, Some(key))
    };
    for damaged in
        [format!(" {}", &key.to_string()[..20]), String::new(), " ssh-ed25519".to_owned()]
    {
        let why = judge(format!("# mine\n\ndesk.example:5000{damaged}\n")).unwrap_err();
        assert!(
            why.contains("is damaged") && why.contains("line 3") && !why.contains("before"),
            "{why}"
        );
    }
    assert!(judge("desk.example:50".to_owned()).is_ok_and(|told| told.is_some()));
    assert!(fs::read_to_string(&file).unwrap().contains(&format!("\ndesk.example:5000 {key}\n")));
}

#[test]
fn a_line_of_known_desks_that_a_person_wrote_counts() {
    let folder = Folder::new("written");
    let (file, keys) = (folder.file("known_desks"), [key(), key()]);
    for line in [
        "Desk.Example:5000 KEY\n",
        "\tdesk.example:5000\t KEY \r\n",
        "desk.example:5000 KEY # Ann's",
    ] {
        fs::write(&file, line.replace("KEY", &keys[0].to_string())).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let judge = |key| first_contact(Some(file.clone())).judge(ADDRESS, PEER, Some(key));
        assert_eq!(judge(keys[0]), Ok(None), "{line:?}");
        assert!(judge(keys[1]).unwrap_err().contains("remove line 1"), "{line:?}");
    }
}

#[test]
fn a_customer_who_keeps_nothing_still_notices_a_changed_key_within_one_run() {
    let (mut trust, keys) = (first_contact(None), [key(), key()]);
    assert!(trust.judge(ADDRESS, PEER, Some(keys[0])).unwrap().is_some());
    assert_eq!(trust.judge(ADDRESS, PEER, Some(keys[0])), Ok(None));
    assert!(trust.judge(ADDRESS, PEER, Some(keys[1])).is_err());
}

#[test]
fn a_desk_without_a_key_is_refused_and_plaintext_works_only_where_allowed() {
    let key = key();
    assert!(first_contact(None).judge(ADDRESS, PEER, None).is_err());
    assert!(Trust::Keys(vec![key]).judge(ADDRESS, PEER, None).is_err());
    assert_eq!(
        Trust::Keys(vec![self::key(), key]).judge(ADDRESS, PEER, Some(key)),
        Ok(None),
        "each of the keys is accepted"
    );
    let far = "192.0.2.1:5000".parse().unwrap();
    let mut loopback = Trust::Plaintext(Plaintext::Loopback);
    assert_eq!(loopback.judge(ADDRESS, PEER, None), Ok(None));
    assert!(loopback.judge(ADDRESS, far, None).unwrap_err().contains("--plaintext anywhere"));
    let told = Trust::Plaintext(Plaintext::Anywhere).judge(ADDRESS, far, None);
    assert_eq!(told, Ok(Some("the connection to 192.0.2.1:5000 is not encrypted".to_owned())));
}

#[test]
fn a_desk_on_this_link_can_be_dialled() {
    let security = first_contact(None).security().unwrap();
    for address in [
        "[fe80::1%2]:5000",
        "[fe80::1]:5000",
        "192.0.2.1:5000",
        "my_desk:5000",
        "desk.example.:5000",
    ] {
        assert!(security.connection(address).is_ok(), "{address}");
    }
}
