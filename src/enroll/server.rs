//! The server as an enrollment uses it: looks that may be given up, and changes that are carried to their end.

use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use super::admin_key::AdminKeySource;
use crate::job::Cause;
use crate::job::issuer::Watch;
use crate::job::stage_error::{KeptKey, StageError};
use crate::provision::mimcm::MimCm;
use crate::secret::{AdminKey, AdminResponse};
use crate::server::{AdminKeyVersion, CardParameters, Client, Posted, ServerError};

/// What became of a call that changes the server, where it was neither refused nor kept from leaving.
pub type Changed<T> = Result<T, ServerError>;

/// The server.
pub struct Server<'a> {
    mimcm: &'a mut MimCm,
    interrupted: &'a AtomicBool,
}

impl<'a> Server<'a> {
    /// Asked with this client; `interrupted` gives up what only reads.
    pub fn new(mimcm: &'a mut MimCm, interrupted: &'a AtomicBool) -> Self {
        Self { mimcm, interrupted }
    }

    /// The client that the PIN step asks with, too.
    pub fn issuer(&mut self) -> &mut MimCm {
        self.mimcm
    }

    /// Drives calls that only read.
    ///
    /// # Errors
    /// The call's, and [`Cause::Interrupted`].
    pub fn look<T>(&mut self, call: impl AsyncFnOnce(&Client) -> Result<T, Cause>) -> Result<T, Cause> {
        let interrupted = self.interrupted;
        let mut watch = || if interrupted.load(Ordering::Relaxed) { Err(Cause::Interrupted) } else { Ok(()) };
        self.mimcm.call(call, &mut watch)
    }

    /// Drives a call that changes the server to its end, whoever gives up meanwhile: the inner error is a lost answer.
    ///
    /// # Errors
    /// The server has refused, or not a byte of the call has left: nothing was changed.
    pub fn change<T>(
        &mut self,
        call: impl AsyncFnOnce(&Client) -> Result<Posted<T>, ServerError>,
    ) -> Result<Changed<T>, Cause> {
        match self.carry(async |client| call(client).await.map_err(Cause::from))? {
            Posted::Done(done) => Ok(Ok(done)),
            Posted::NotSent(error) => Err(error.into()),
            Posted::Lost(error) => Ok(Err(error)),
        }
    }

    /// Looks for what became of a lost call. Who gives up meanwhile needs the answer all the same.
    ///
    /// # Errors
    /// The call's.
    pub fn carry<T>(&mut self, call: impl AsyncFnOnce(&Client) -> Result<T, Cause>) -> Result<T, Cause> {
        self.mimcm.call(call, &mut || Ok(()))
    }
}

/// The server's answers for one card under one request, while that card waits for them.
pub struct AdminKeys<'a, 'b> {
    /// The server.
    pub server: &'a mut Server<'b>,
    /// The request.
    pub request: Uuid,
    /// The card object.
    pub smartcard: Uuid,
}

impl AdminKeySource for AdminKeys<'_, '_> {
    fn answer(
        &mut self,
        card: &CardParameters,
        key: AdminKeyVersion,
        watch: Watch<'_>,
    ) -> Result<AdminResponse, Cause> {
        let (request, smartcard) = (self.request, self.smartcard);
        let call = async |client: &Client| {
            client.authentication_response(request, smartcard, card, key).await.map_err(Cause::from)
        };
        self.server.mimcm.secret_call(call, watch)
    }

    fn diversified_key(&mut self, card: &CardParameters, watch: Watch<'_>) -> Result<AdminKey, Cause> {
        let (request, smartcard) = (self.request, self.smartcard);
        let call = async |client: &Client| client.diversified_key(request, smartcard, card).await.map_err(Cause::from);
        let key = self.server.mimcm.secret_call(call, watch)?;
        key.ok_or_else(|| StageError::AdminKeyKept(KeptKey::NoKey).into())
    }
}
