//! `NO_PROXY`: the hosts that bypass the proxy.

use super::url::{host_of, is_loopback, port_of};

/// Whether `authority` bypasses the proxy. Patterns are those of `NO_PROXY` as in curl: a domain
/// includes its subdomains.
pub(super) fn bypasses_proxy(authority: &str, patterns: &[String]) -> bool {
    let host = host_of(authority);
    is_loopback(host) || patterns.iter().any(|pattern| matches(pattern.trim(), host, port_of(authority)))
}

fn matches(pattern: &str, host: &str, port: Option<&str>) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    if pattern == "*" {
        return true;
    }
    if port_of(&pattern).is_some_and(|wanted| port != Some(wanted)) {
        return false;
    }
    let name = host_of(&pattern).trim_start_matches('*').trim_start_matches('.');
    let is_below = host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !name.is_empty() && is_below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_no_proxy_patterns() {
        let direct = |authority, pattern: &str| bypasses_proxy(authority, &[pattern.to_owned()]);
        for (authority, pattern) in [
            ("localhost:5000", ""),
            ("127.0.0.1", ""),
            ("r.corp.io", "corp.io"),
            ("r.corp.io:5000", ".corp.io"),
            ("corp.io", "*.Corp.io"),
            ("r.io:5000", "r.io:5000"),
            ("r.io", "*"),
        ] {
            assert!(direct(authority, pattern), "{authority} {pattern}");
        }
        for (authority, pattern) in [
            ("r.io", ""),
            ("xcorp.io", "corp.io"),
            ("r.io", "r.io:5000"),
            ("r.io", "."),
            ("corp.io.evil", "corp.io"),
        ] {
            assert!(!direct(authority, pattern), "{authority} {pattern}");
        }
    }
}
