//! What trussed is extended with: PINs, chunked files, wrapped keys, HPKE and RSA. The glue that its traits ask of a host.

use trussed::backend::{Backend as _, BackendId};
use trussed::platform::Platform;
use trussed::serde_extensions::{ExtensionDispatch, ExtensionId, ExtensionImpl};
use trussed::service::ServiceResources;
use trussed::types::Context;
use trussed_auth::AuthExtension;
use trussed_auth_backend::{AuthBackend, AuthContext, FilesystemLayout};
use trussed_chunked::ChunkedExtension;
use trussed_core::Error;
use trussed_core::api::{Reply, Request, reply, request};
use trussed_core::types::Location;
use trussed_hpke::HpkeExtension;
use trussed_rsa_alloc::SoftwareRsa;
use trussed_staging::{StagingBackend, StagingContext};
use trussed_wrap_key_to_file::WrapKeyToFileExtension;

/// Asked in this order until one knows the request.
pub const BACKENDS: &[BackendId<Backend>] = &[
    BackendId::Custom(Backend::Staging),
    BackendId::Custom(Backend::Auth),
    BackendId::Custom(Backend::Rsa),
    BackendId::Core,
];

/// A backend beside trussed's own.
pub enum Backend {
    Staging,
    Auth,
    Rsa,
}

/// An extension of the requests, with its number on the wire between application and service.
#[derive(Clone, Copy)]
pub enum Extension {
    Auth,
    Chunked,
    WrapKeyToFile,
    Hpke,
}

const EXTENSIONS: [Extension; 4] = [Extension::Auth, Extension::Chunked, Extension::WrapKeyToFile, Extension::Hpke];

impl From<Extension> for u8 {
    fn from(extension: Extension) -> Self {
        extension as Self
    }
}

impl TryFrom<u8> for Extension {
    type Error = Error;

    fn try_from(number: u8) -> Result<Self, Error> {
        EXTENSIONS.get(usize::from(number)).copied().ok_or(Error::FunctionNotSupported)
    }
}

/// The backends.
pub struct Dispatch {
    staging: StagingBackend,
    auth: AuthBackend,
}

/// What the backends remember of their client.
#[derive(Default)]
pub struct DispatchContext {
    staging: StagingContext,
    auth: AuthContext,
}

impl Dispatch {
    pub fn new() -> Self {
        Self { staging: StagingBackend::new(), auth: AuthBackend::new(Location::Internal, FilesystemLayout::V1) }
    }

    fn stage<E, P>(
        &mut self,
        ctx: &mut Context<DispatchContext>,
        request: &request::SerdeExtension,
        resources: &mut ServiceResources<P>,
    ) -> Result<reply::SerdeExtension, Error>
    where
        E: trussed_core::serde_extensions::Extension,
        P: Platform,
        StagingBackend: ExtensionImpl<E> + trussed::backend::Backend<Context = StagingContext>,
    {
        ExtensionImpl::<E>::extension_request_serialized(
            &mut self.staging,
            &mut ctx.core,
            &mut ctx.backends.staging,
            request,
            resources,
        )
    }
}

impl ExtensionDispatch for Dispatch {
    type BackendId = Backend;
    type Context = DispatchContext;
    type ExtensionId = Extension;

    fn core_request<P: Platform>(
        &mut self,
        backend: &Backend,
        ctx: &mut Context<DispatchContext>,
        request: &Request,
        resources: &mut ServiceResources<P>,
    ) -> Result<Reply, Error> {
        let Context { core, backends, .. } = ctx;
        match backend {
            Backend::Staging => self.staging.request(core, &mut backends.staging, request, resources),
            Backend::Auth => self.auth.request(core, &mut backends.auth, request, resources),
            Backend::Rsa => SoftwareRsa.request(core, &mut (), request, resources),
        }
    }

    fn extension_request<P: Platform>(
        &mut self,
        backend: &Backend,
        extension: &Extension,
        ctx: &mut Context<DispatchContext>,
        request: &request::SerdeExtension,
        resources: &mut ServiceResources<P>,
    ) -> Result<reply::SerdeExtension, Error> {
        match (backend, extension) {
            (Backend::Staging, Extension::Chunked) => self.stage::<ChunkedExtension, P>(ctx, request, resources),
            (Backend::Staging, Extension::WrapKeyToFile) => {
                self.stage::<WrapKeyToFileExtension, P>(ctx, request, resources)
            }
            (Backend::Staging, Extension::Hpke) => self.stage::<HpkeExtension, P>(ctx, request, resources),
            (Backend::Auth, Extension::Auth) => {
                let Context { core, backends, .. } = ctx;
                self.auth.extension_request_serialized(core, &mut backends.auth, request, resources)
            }
            _ => Err(Error::RequestNotAvailable),
        }
    }
}

impl ExtensionId<AuthExtension> for Dispatch {
    type Id = Extension;
    const ID: Extension = Extension::Auth;
}

impl ExtensionId<ChunkedExtension> for Dispatch {
    type Id = Extension;
    const ID: Extension = Extension::Chunked;
}

impl ExtensionId<WrapKeyToFileExtension> for Dispatch {
    type Id = Extension;
    const ID: Extension = Extension::WrapKeyToFile;
}

impl ExtensionId<HpkeExtension> for Dispatch {
    type Id = Extension;
    const ID: Extension = Extension::Hpke;
}
