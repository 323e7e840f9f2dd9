//! Software profiles, and the certificates of the caller.

use uuid::Uuid;

use super::call::{Call, Repeat};
use super::client::Client;
use super::error::ServerError;
use super::wire::{CardCertificate, Profile, UserCertificate};

impl Client {
    /// GET `profiles`: the caller's software profiles.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem).
    pub async fn profiles(&self) -> Result<Vec<Profile>, ServerError> {
        self.list(&Call::get("GET profiles", Repeat::Safe, &["profiles"])).await
    }

    /// GET `profiles/{id}`.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem); an unknown id is [`ServerProblem::Nothing`](crate::server::ServerProblem::Nothing).
    pub async fn profile(&self, id: Uuid) -> Result<Profile, ServerError> {
        self.one(&Call::get("GET profiles/{id}", Repeat::Safe, &["profiles", &id.to_string()])).await
    }

    /// GET `requests/{id}/profiles`: the software profiles that a request is about.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem).
    pub async fn profiles_of_request(&self, request: Uuid) -> Result<Vec<Profile>, ServerError> {
        let path = ["requests", &request.to_string(), "profiles"];
        self.list(&Call::get("GET requests/{id}/profiles", Repeat::Safe, &path)).await
    }

    /// GET `profiles/{id}/operations`: what the caller may start with the profile, by names of types of requests.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem).
    pub async fn profile_operations(&self, id: Uuid) -> Result<Vec<String>, ServerError> {
        let path = ["profiles", &id.to_string(), "operations"];
        self.words(&Call::get("GET profiles/{id}/operations", Repeat::Safe, &path)).await
    }

    /// GET `profiles/{id}/certificates`: what was issued for the profile.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem).
    pub async fn profile_certificates(&self, id: Uuid) -> Result<Vec<CardCertificate>, ServerError> {
        let path = ["profiles", &id.to_string(), "certificates"];
        self.list(&Call::get("GET profiles/{id}/certificates", Repeat::Safe, &path)).await
    }

    /// GET `certificates`: the caller's certificates, on cards and off them. Retired ones are left out by the server.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem).
    pub async fn certificates(&self) -> Result<Vec<UserCertificate>, ServerError> {
        self.list(&Call::get("GET certificates", Repeat::Safe, &["certificates"])).await
    }
}
