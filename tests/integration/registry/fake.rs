//! The library's client of the fake registry.

use std::time::Duration;

use coracle_core::reference::Reference;
use coracle_oci::registry::{Access, Client, Remote, Repository, Retries, Settings, Timeouts};
pub(super) use coracle_testing::registry::{FakeRegistry, Login, Trouble};

/// Repositories of the fake registry.
pub(super) trait FakeRepositories {
    fn repository(&self, name: &str) -> Repository;

    /// The repository `shop`, to be written.
    fn shop(&self) -> Remote;

    fn shop_with(&self, settings: Settings) -> Remote;
}

impl FakeRepositories for FakeRegistry {
    fn repository(&self, name: &str) -> Repository {
        Repository::from(&format!("{}/{name}", self.address).parse::<Reference>().unwrap())
    }

    fn shop(&self) -> Remote {
        let mut settings = settings();
        if self.state().impatient {
            settings.timeouts.answer = Duration::from_millis(300);
        }
        self.shop_with(settings)
    }

    fn shop_with(&self, settings: Settings) -> Remote {
        Client::new(settings).unwrap().open(&self.repository("shop"), &Access::push())
    }
}

/// Settings with short waits.
pub(super) fn settings() -> Settings {
    Settings {
        retries: Retries { attempts: 4, first: Duration::from_millis(1), longest: Duration::from_secs(2) },
        timeouts: Timeouts { connect: Duration::from_secs(5), answer: Duration::from_secs(20) },
        ..Settings::default()
    }
}
