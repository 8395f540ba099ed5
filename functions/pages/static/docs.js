// Every address is relative, so that the page also works below a stage prefix such as /prod/docs.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false, // a token stays in this page's memory, never in the browser's storage
  queryConfigEnabled: false, // ?url=... cannot make the page show another host's description
  validatorUrl: null, // the description is not sent to anybody for validation
});
