//! Budgets and reports of `coracle build`, and the jobs of GitHub and GitLab. Their scripts run as
//! the runners run them, against a registry with a password and a server with releases.

mod build_script;
mod docker_registry;
mod documented_jobs;
mod github_action;
mod github_runner;
mod gitlab_component;
mod growth_budget;
mod install_script;
mod release_server;
mod report_files;
mod reports;
mod schemas;
mod size_budget;
mod test_programs;
