// All URLs are relative, so the page also works below a prefix, such as /prod/docs.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false, // keeps the token in memory, not in the browser's storage
  queryConfigEnabled: false, // ?url=... must not load another host's description
  validatorUrl: null, // do not send the description to a validator
});
