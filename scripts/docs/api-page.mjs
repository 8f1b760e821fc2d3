export const apiPage = () => "<h1>API reference</h1>";
