// Stands for the SDK's search for credentials in the Lambda bundle (scripts/bundle-lambda.mjs).
export const defaultProvider = () => () =>
  Promise.reject(new Error("this client was made without credentials"));
