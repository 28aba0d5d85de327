//! In JSON, times as RFC 3339 writes them and digests as images have them: for people, and for programs that others write.

/// What displays as it is parsed.
pub(crate) mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(shown: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(shown)
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr,
        T::Err: Display,
        D: Deserializer<'de>,
    {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// The same, where there may be none.
pub(crate) mod optional_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands a field over like this")]
    pub(crate) fn serialize<T: Display, S: Serializer>(shown: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match shown {
            Some(shown) => to.collect_str(shown),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr,
        T::Err: Display,
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// `sha256:` and 64 digits, where there may be none.
pub(crate) mod digest {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};
    use tufstore::terms::Sha256;

    #[expect(clippy::ref_option, reason = "serde hands a field over like this")]
    pub(crate) fn serialize<S: Serializer>(digest: &Option<Sha256>, to: S) -> Result<S::Ok, S::Error> {
        match digest {
            Some(sha256) => to.collect_str(&format_args!("sha256:{sha256}")),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Sha256>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
        let read = || text.strip_prefix("sha256:")?.parse().ok();
        let wanted = || D::Error::custom("a digest is `sha256:` and 64 hexadecimal digits in lower case");
        read().map(Some).ok_or_else(wanted)
    }
}

/// The files that a commit brought, each with its members' names.
pub(crate) mod files {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tufstore::terms::{RoleName, Sha256, Version};

    #[derive(Deserialize, Serialize)]
    struct File {
        role: RoleName,
        version: Version,
        #[serde(with = "super::text")]
        sha256: Sha256,
    }

    pub(crate) fn serialize<S: Serializer>(
        files: &[(RoleName, Version, Sha256)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let file = |(role, version, sha256): &(RoleName, Version, Sha256)| File {
            role: role.clone(),
            version: *version,
            sha256: *sha256,
        };
        to.collect_seq(files.iter().map(file))
    }

    pub(crate) fn deserialize<'de, D>(from: D) -> Result<Vec<(RoleName, Version, Sha256)>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let files = Vec::<File>::deserialize(from)?;
        Ok(files.into_iter().map(|File { role, version, sha256 }| (role, version, sha256)).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::{from_value, json, to_value};
    use tufstore::terms::{RoleName, Sha256, UnixTime, Version};

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct All {
        #[serde(with = "super::text")]
        time: UnixTime,
        #[serde(default, skip_serializing_if = "Option::is_none", with = "super::optional_text")]
        until: Option<UnixTime>,
        #[serde(default, skip_serializing_if = "Option::is_none", with = "super::digest")]
        digest: Option<Sha256>,
        #[serde(with = "super::files")]
        files: Vec<(RoleName, Version, Sha256)>,
    }

    #[test]
    fn what_is_shown_reads_back() {
        let (time, hex) = (UnixTime::new(0, 5), "ab".repeat(32));
        let sha256: Sha256 = hex.parse().unwrap();
        let files = vec![(RoleName::Root, Version::FIRST, sha256)];
        let whole = All { time, until: Some(time), digest: Some(sha256), files };
        let shown = "1970-01-01T00:00:00.000000005Z";
        let files = json!([{ "role": "root", "version": 1, "sha256": hex }]);
        let expected =
            json!({ "time": shown, "until": shown, "digest": format!("sha256:{hex}"), "files": files });
        assert_eq!(to_value(&whole).unwrap(), expected);
        assert_eq!(from_value::<All>(expected).unwrap(), whole);
        let least = json!({ "time": shown, "files": [] });
        let without = All { time, until: None, digest: None, files: Vec::new() };
        assert_eq!(to_value(&without).unwrap(), least);
        assert_eq!(from_value::<All>(least).unwrap(), without);
    }

    #[test]
    fn other_texts_are_refused() {
        let (time, hex) = ("1970-01-01T00:00:00Z", "ab".repeat(32));
        for digest in [json!(hex), json!(format!("sha512:{hex}")), json!("sha256:"), json!(7)] {
            let all = json!({ "time": time, "digest": digest, "files": [] });
            assert!(from_value::<All>(all).is_err(), "{digest}");
        }
        for time in [json!("today"), json!(0), json!({ "seconds": 0, "nanoseconds": 0 })] {
            assert!(from_value::<All>(json!({ "time": time, "files": [] })).is_err(), "{time}");
        }
    }
}
