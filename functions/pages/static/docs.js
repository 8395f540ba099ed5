// All URLs are relative, so the page also works below a path: that of a stage, such as /prod/docs, or of a proxy.
// The service knows a stage, but not a proxy that does not name its path, so requests go to where the page is.
const server = { url: new URL(".", location.href).pathname };

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false, // keeps the token in memory, not in the browser's storage
  queryConfigEnabled: false, // ?url=... must not load another host's description
  validatorUrl: null, // do not send the description to a validator
  plugins: [
    {
      statePlugins: {
        spec: { wrapActions: { updateJsonSpec: (update) => (spec) => update({ ...spec, servers: [server] }) } },
      },
    },
  ],
});
