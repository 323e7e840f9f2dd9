//! Profile templates: which ones the caller may enroll for, what a request needs, and how cards are set up.

use uuid::Uuid;

use super::call::{Call, Repeat, Route};
use super::client::Client;
use super::error::{ServerError, ServerProblem};
use super::policy::{self, SmartcardPolicy};
use super::requests::RequestKind;
use super::wire::{ProfileTemplate, WorkflowPolicy};
use crate::secret::SecretBytes;

impl Client {
    /// GET `profiletemplates`: those that the caller may enroll for.
    ///
    /// # Errors
    /// See [`ServerProblem`].
    pub async fn profile_templates(&self) -> Result<Vec<ProfileTemplate>, ServerError> {
        self.list(&Call::get("GET profiletemplates", Repeat::Safe, &["profiletemplates"])).await
    }

    /// GET `profiletemplates/{id}`.
    ///
    /// # Errors
    /// See [`ServerProblem`]; an unknown id is [`ServerProblem::Nothing`].
    pub async fn profile_template(&self, id: Uuid) -> Result<ProfileTemplate, ServerError> {
        let path = ["profiletemplates", &id.to_string()];
        self.one(&Call::get("GET profiletemplates/{id}", Repeat::Safe, &path)).await
    }

    /// GET `profiletemplates/{id}/policies/{type}`, or `…/policy/workflow/{type}` on a server that lacks this route (404):
    /// what a request of that type needs.
    ///
    /// # Errors
    /// See [`ServerProblem`].
    pub async fn workflow_policy(&self, template: Uuid, kind: RequestKind) -> Result<WorkflowPolicy, ServerError> {
        let (template, kind) = (template.to_string(), kind.name().to_ascii_lowercase());
        let first = ["profiletemplates", &template, "policies", &kind];
        let other = ["profiletemplates", &template, "policy", "workflow", &kind];
        let first = Call::get("GET profiletemplates/{id}/policies/{type}", Repeat::Safe, &first).over(Route::OneOfTwo);
        match self.one(&first).await {
            // Only this answer says "no such route"; any other one is the server's word on the policy.
            Err(ServerError { problem: ServerProblem::NotFound { .. }, .. }) => {
                let other = Call::get("GET profiletemplates/{id}/policy/workflow/{type}", Repeat::Safe, &other);
                self.one(&other.over(Route::OneOfTwo)).await
            }
            result => result,
        }
    }

    /// GET `profiletemplates/{id}/configuration/smartcards`: who makes the PIN, and which admin key cards get. The body
    /// holds an admin key and is handled as a secret. `None` where the server has none to show (204).
    ///
    /// # Errors
    /// See [`ServerProblem`].
    pub async fn smartcard_policy(&self, template: Uuid) -> Result<Option<SmartcardPolicy>, ServerError> {
        let path = ["profiletemplates", &template.to_string(), "configuration", "smartcards"];
        let name = "GET profiletemplates/{id}/configuration/smartcards";
        let call = Call::get(name, Repeat::OnceWhileUnwritten, &path);
        let body = self.http.get::<SecretBytes>(&call).await?;
        body.map(|body| policy::read(body.expose())).transpose().map_err(|problem| ServerError { call: name, problem })
    }
}
