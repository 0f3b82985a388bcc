//! The library's client of the fake registry.

use std::time::Duration;

use coracle_core::reference::ImageReference;
use coracle_oci::registry::{
    Access, RegistryClient, RegistrySettings, Repository, RepositoryClient, RetryPolicy, Timeouts,
};
pub(crate) use coracle_testing::registry::{FakeRegistry, Fault, Login};

/// Repositories of the fake registry.
pub(crate) trait FakeRepositories {
    fn repository(&self, name: &str) -> Repository;

    /// The repository `shop`, to be written.
    fn shop(&self) -> RepositoryClient;

    fn shop_with(&self, settings: RegistrySettings) -> RepositoryClient;
}

impl FakeRepositories for FakeRegistry {
    fn repository(&self, name: &str) -> Repository {
        Repository::from(&format!("{}/{name}", self.address).parse::<ImageReference>().unwrap())
    }

    fn shop(&self) -> RepositoryClient {
        let mut settings = settings();
        if self.state().short_timeouts {
            settings.timeouts.response = Duration::from_millis(300);
        }
        self.shop_with(settings)
    }

    fn shop_with(&self, settings: RegistrySettings) -> RepositoryClient {
        RegistryClient::new(settings).unwrap().repository_client(&self.repository("shop"), &Access::push())
    }
}

/// Settings with short waits.
pub(crate) fn settings() -> RegistrySettings {
    RegistrySettings {
        retry_policy: RetryPolicy {
            attempts: 4,
            initial_delay: Duration::from_millis(1),
            max_delay: Duration::from_secs(2),
        },
        timeouts: Timeouts { connect: Duration::from_secs(5), response: Duration::from_secs(20) },
        ..RegistrySettings::default()
    }
}
