/** Whether labs of the tests are on the aws engine and its emulators (`PUMICE_TEST_ENGINE=aws`), not on the embedded one. */
export const isOnAws = process.env["PUMICE_TEST_ENGINE"] === "aws";
